/** @file What is said of a model before it is taken: its needs of GPU memory, and where to read about it. */
import type { StoredType } from '../../../formats/files/model-files';
import type { ModelOrigin, ModelSummary } from '../../../formats/hub/stored-model';
import { modelMemory } from '../../../engine/model-memory';

const labels = {
  q8_0: 'q8, 8 bits a weight',
  q4_0: 'q4, 4 bits a weight',
} as const;

export interface Way {
  label: string;
  /** Of GPU memory. */
  bytes: number;
  /** False where the machine as a whole has less. */
  fits: boolean;
}

/**
 * The ways to open a model; what is quantised already is opened as it is.
 * @param memory bytes that the machine has, or null when that isn't known
 */
export function memoryTable(
  { config, quantisation }: Pick<ModelSummary, 'config' | 'quantisation'>,
  memory: number | null,
): Way[] {
  const floats = /^(F32|F16|BF16)$/.test(quantisation);
  const ways = floats ? (['stored', 'q8_0', 'q4_0'] as const) : (['stored'] as const);
  return ways.map((quant) => {
    const bytes = modelMemory(config, quantisation as StoredType, quant);
    const label = quant === 'stored' ? `stored, ${quantisation}` : labels[quant];
    return { label, bytes, fits: memory === null || bytes <= memory };
  });
}

/** Browsers that tell how much memory the machine has round it and say no more than this, in GiB. */
const MOST_TOLD = 8;

/** Bytes of the machine's memory, which its GPU's is a part of on small machines; null when unknown or plenty. */
export function machineMemory(
  { deviceMemory }: { deviceMemory?: number } = navigator as { deviceMemory?: number },
): number | null {
  return deviceMemory === undefined || deviceMemory >= MOST_TOLD ? null : deviceMemory * 2 ** 30;
}

/** The page about a model on the Hub; null for models from elsewhere. */
export function cardAddress(origin: ModelOrigin): string | null {
  if (origin.kind !== 'hub' || !/^https?:\/\//i.test(origin.endpoint)) return null;
  return `${origin.endpoint}/${origin.repo}`;
}
