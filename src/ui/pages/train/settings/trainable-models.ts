/** @file The models that a run on this device can start from. */
import { formatModelId } from '../../../../runs/model-id';
import type { RunStorage } from '../../../../storage/run-storage';

export const EMBEDDED_MODELS: readonly string[] = ['tinythink-1m'];

/**
 * Config names of all models on this device: embedded, imported and downloaded ones.
 * @param downloaded lists the downloaded ones; if it fails, the others are returned
 */
export async function trainableModels(
  storage: Pick<RunStorage, 'modelNames'>,
  downloaded: () => Promise<readonly string[]>,
): Promise<string[]> {
  const [imported, stored] = await Promise.all([
    storage.modelNames().catch((): string[] => []),
    downloaded().catch((): readonly string[] => []),
  ]);
  return [...EMBEDDED_MODELS, ...imported.map((name) => formatModelId({ kind: 'imported', name })), ...stored];
}
