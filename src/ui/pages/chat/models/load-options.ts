/** @file How a downloaded model is loaded: precision, context length and adapter, as the user chose them for each model. */
import { formatBytes } from '../../../../base/bytes';
import type { ChosenAdapter, LoadOptions } from '../../../../engine/load-options';
import { PEFT_CONFIG, PEFT_WEIGHTS } from '../../../../formats/hf/peft';
import { t } from '../../../../i18n';

type Option<K extends 'quant' | 'cache'> = { value: NonNullable<LoadOptions[K]>; label: string };

const bits = (count: number, format: string): string => t('chat:loadingForm.bits', { bits: count, format });

export const weightOptions: readonly Option<'quant'>[] = [
  { value: 'stored', label: t('chat:loadingForm.asStored') },
  { value: 'f16', label: bits(16, 'f16') },
  { value: 'q8_0', label: bits(8, 'q8_0') },
  { value: 'q4_0', label: bits(4, 'q4_0') },
];

export const cacheOptions: readonly Option<'cache'>[] = [
  { value: 'f16', label: bits(16, 'f16') },
  { value: 'q8', label: bits(8, 'q8') },
  { value: 'f32', label: bits(32, 'f32') },
];

/** In tokens. */
export const contextBounds = { min: 64, max: 1_048_576 };

export const isContextLength = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= contextBounds.min && Number(value) <= contextBounds.max;

/** The adapter among the files of a PEFT folder; null if there is none. */
export function adapterIn(files: readonly File[]): ChosenAdapter | null {
  const named = (name: string) => files.find((file) => file.name === name);
  const config = named(PEFT_CONFIG);
  const weights = named(PEFT_WEIGHTS);
  if (!config || !weights) return null;
  const folder = (config.webkitRelativePath ?? '').split('/').at(-2) ?? t('chat:loadingForm.adapterUnnamed');
  return { name: `${folder} (${formatBytes(weights.size)})`, files: [config, weights] };
}

/** The model that an adapter was trained on, as its config names it; null if it doesn't. */
export async function adapterBase({ files }: ChosenAdapter): Promise<string | null> {
  try {
    const config = JSON.parse(await files[0]!.text()) as { base_model_name_or_path?: unknown };
    const base = config.base_model_name_or_path;
    return typeof base === 'string' && base.trim() !== '' ? base.slice(0, 300) : null;
  } catch {
    // The engine says what is wrong with the config when it reads it.
    return null;
  }
}

const KEY = 'tinythink:chat-loading';

/**
 * The saved options by model id; empty if nothing is saved or storage is blocked. Adapters aren't saved, because a page may
 * not open a folder again by itself.
 */
export function loadSavedOptions(storage: Pick<Storage, 'getItem'> | undefined): Record<string, LoadOptions> {
  const saved: Record<string, LoadOptions> = {};
  try {
    const stored = JSON.parse(storage?.getItem(KEY) ?? '{}') as Record<string, Record<string, unknown>>;
    for (const [model, { quant, cache, context }] of Object.entries(stored)) {
      const weights = weightOptions.find(({ value }) => value === quant);
      const memory = cacheOptions.find(({ value }) => value === cache);
      saved[model] = {
        ...(weights && { quant: weights.value }),
        ...(memory && { cache: memory.value }),
        ...(isContextLength(context) && { context }),
      };
    }
  } catch {
    // Blocked, or written by something else: use the defaults.
  }
  return saved;
}

export function saveOptions(storage: Pick<Storage, 'setItem'> | undefined, options: Record<string, LoadOptions>): void {
  try {
    storage?.setItem(KEY, JSON.stringify(options));
  } catch {
    // Blocked or full: the options last until the page is closed.
  }
}
