/** @file The models that a run on this device can start from. */
import { formatModelId, parseModelId } from '../../../../runs/model-id';
import type { ModelTraits } from '../../../../runs/model-capabilities';
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

/**
 * What is known of imported models, whose names don't tell. One that can't be opened, such as an adapter whose base is not
 * here, is left out.
 * @param models config names
 * @param onFound called with what is known so far
 */
export async function traitsOfModels(
  models: readonly string[],
  describe: (model: string) => Promise<ModelTraits>,
  onFound: (traits: ReadonlyMap<string, ModelTraits>) => void = () => {},
): Promise<Map<string, ModelTraits>> {
  const found = new Map<string, ModelTraits>();
  for (const model of models) {
    if (parseModelId(model)?.kind !== 'imported') continue;
    const traits = await describe(model).catch(() => null);
    if (traits) onFound(new Map(found.set(model, traits)));
  }
  return found;
}
