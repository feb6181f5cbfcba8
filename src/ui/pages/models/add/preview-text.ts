/** @file What is said about a model before it is added: the GPU memory it needs, and where to read about it. */
import { modelMemory } from '../../../../engine/model-memory';
import type { StoredType } from '../../../../formats/gguf/stored-types';
import type { ModelOrigin, ModelSummary } from '../../../../formats/hub/stored-model';
import { t } from '../../../../i18n';

/** A precision to load a model's weights in. */
export interface Precision {
  label: string;
  /** Bytes of GPU memory. */
  bytes: number;
  /** False where the device as a whole has less memory. */
  fits: boolean;
}

/**
 * The precisions in which a model can be loaded. Quantised weights are loaded as they are.
 * @param memory bytes of the device's memory, or null when unknown
 */
export function memoryTable(
  { config, quantisation }: Pick<ModelSummary, 'config' | 'quantisation'>,
  memory: number | null,
): Precision[] {
  const floats = /^(F32|F16|BF16)$/.test(quantisation);
  const precisions = floats ? (['stored', 'q8_0', 'q4_0'] as const) : (['stored'] as const);
  return precisions.map((precision) => {
    const bytes = modelMemory(config, quantisation as StoredType, precision);
    const label = t(`models:preview.precisions.${precision}`, { type: quantisation });
    return { label, bytes, fits: memory === null || bytes <= memory };
  });
}

/** Browsers round the amount of memory, and report at most this many GiB. */
const MAX_REPORTED = 8;

/** Bytes of the device's memory, which small devices share with their GPU; null when unknown or plenty. */
export function deviceMemory(
  { deviceMemory }: { deviceMemory?: number } = navigator as { deviceMemory?: number },
): number | null {
  return deviceMemory === undefined || deviceMemory >= MAX_REPORTED ? null : deviceMemory * 2 ** 30;
}

/** The address of the model card on the Hub; null for models from elsewhere. */
export function cardAddress(origin: ModelOrigin): string | null {
  if (origin.kind !== 'hub' || !/^https?:\/\//i.test(origin.endpoint)) return null;
  return `${origin.endpoint}/${origin.repo}`;
}
