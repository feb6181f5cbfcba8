/** @file A model in files that the user chose or dropped. */
import { t } from '../../../i18n';
import { blobFile, chosenFiles } from '../../files/blob-files';
import { ModelAddressError } from '../model-address';
import type { ChosenFiles } from '../model-address';
import { isModelFile } from '../../hf/file-names';
import { modelId } from './model-source';
import type { ModelSource } from './model-source';

/**
 * A single .gguf, or the files of a folder with config.json.
 * @throws ModelAddressError when they are no model
 */
export async function openChosenFiles(files: ChosenFiles): Promise<ModelSource> {
  const { folder, paths } = chosenFiles(files);
  const ggufs = [...paths].filter(([path]) => /\.gguf$/i.test(path));
  const single = !paths.has('config.json') && ggufs.length > 0;
  if (single && ggufs.length > 1) throw new ModelAddressError(t('models:chosen.severalGgufs'));
  if (!single && !paths.has('config.json')) {
    const adapter = paths.has('adapter_config.json') || paths.has('adapter_model.safetensors');
    throw new ModelAddressError(adapter ? t('models:chosen.adapter') : t('models:chosen.noModel'));
  }
  const chosen = single ? ggufs : [...paths].filter(([path]) => isModelFile(path));
  const name = single ? ggufs[0]![0] : (folder ?? t('models:chosen.unnamed'));
  const pinned = chosen.map(([path, { size, lastModified }]) => ({ path, bytes: size, version: String(lastModified) }));
  return {
    id: await modelId(name, [{ kind: 'file', name }, pinned.map(({ path, bytes }) => [path, bytes])]),
    name,
    origin: { kind: 'file', name },
    licence: null,
    files: pinned,
    choices: [],
    notices: [],
    open: ({ path }) => blobFile(path, paths.get(path)!),
  };
}
