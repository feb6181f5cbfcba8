/** @file How a large model is loaded: the reader's choices, kept by model. */
import type { ChosenAdapter, LoadOptions } from '../../../../engine/load-options';
import { formatBytes } from '../../../../base/bytes';

type Choice<K extends 'quant' | 'cache'> = { value: NonNullable<LoadOptions[K]>; label: string };

export const weightChoices: readonly Choice<'quant'>[] = [
  { value: 'stored', label: 'As stored' },
  { value: 'f16', label: '16 bits (f16)' },
  { value: 'q8_0', label: '8 bits (q8_0)' },
  { value: 'q4_0', label: '4 bits (q4_0)' },
];

export const cacheChoices: readonly Choice<'cache'>[] = [
  { value: 'f16', label: '16 bits (f16)' },
  { value: 'q8', label: '8 bits (q8)' },
  { value: 'f32', label: '32 bits (f32)' },
];

export const contextBounds = { min: 64, max: 1_048_576 };

const KEY = 'tinythink:chat-loading';

/** The adapter among the files of a folder that was chosen, or null. Not kept: a page may not open folders by itself. */
export function adapterOf(files: readonly File[]): ChosenAdapter | null {
  const named = (name: string) => files.find((file) => file.name === name);
  const config = named('adapter_config.json');
  const weights = named('adapter_model.safetensors');
  if (!config || !weights) return null;
  const folder = (config.webkitRelativePath ?? '').split('/').at(-2) ?? 'adapter';
  return { name: `${folder} (${formatBytes(weights.size)})`, files: [config, weights] };
}

/** Empty where nothing is kept or storage is blocked. */
export function loadLoading(storage: Pick<Storage, 'getItem'> | undefined): Record<string, LoadOptions> {
  const kept: Record<string, LoadOptions> = {};
  try {
    const stored = JSON.parse(storage?.getItem(KEY) ?? '{}') as Record<string, Record<string, unknown>>;
    for (const [model, { quant, cache, context }] of Object.entries(stored)) {
      const weights = weightChoices.find(({ value }) => value === quant);
      const memory = cacheChoices.find(({ value }) => value === cache);
      kept[model] = {
        ...(weights && { quant: weights.value }),
        ...(memory && { cache: memory.value }),
        ...(isContext(context) && { context }),
      };
    }
  } catch {
    // Blocked, or written by something else: as the engine thinks best, then.
  }
  return kept;
}

export function saveLoading(storage: Pick<Storage, 'setItem'> | undefined, loading: Record<string, LoadOptions>): void {
  try {
    storage?.setItem(KEY, JSON.stringify(loading));
  } catch {
    // Blocked or full: the choice holds until the page is closed.
  }
}

/** Whether a number of tokens can be a context's length. */
export const isContext = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= contextBounds.min && Number(value) <= contextBounds.max;
