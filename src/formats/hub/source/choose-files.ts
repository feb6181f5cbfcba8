/** @file Which files of a repository make up a model: the safetensors with config and tokenizer, or one .gguf. */
import { t } from '../../../i18n';
import { DownloadError } from '../http/errors';
import { isModelFile, TEXT_FILES, WEIGHTS, WEIGHTS_INDEX } from '../../hf/file-names';
import type { PinnedFile } from './model-source';

/** The quantisations that people mostly want. The first one that a repository has is proposed. */
const PREFERRED = ['Q4_K_M', 'Q4_0', 'Q4_K_S', 'Q5_K_M', 'Q8_0', 'Q6_K', 'Q5_0', 'F16', 'BF16', 'F32'];

export interface FileChoice {
  files: PinnedFile[];
  /** Other .gguf files of the repository. */
  choices: { file: string; bytes: number }[];
  /** The chosen .gguf; left out for a folder of safetensors. */
  file?: string;
}

/**
 * @param wanted path of one .gguf
 * @throws DownloadError when the repository has no model, or not the wanted file
 */
export function chooseFiles(all: readonly PinnedFile[], repo: string, wanted?: string): FileChoice {
  const ggufs = all.filter(isWholeGguf);
  const choices = ggufs.map(({ path, bytes }) => ({ file: path, bytes }));
  const without = (path: string) => choices.filter(({ file }) => file !== path);
  if (wanted !== undefined) {
    const file = all.find(({ path }) => path === wanted);
    if (!file) {
      const known = choices.map((choice) => choice.file).join(', ');
      throw new DownloadError(
        known
          ? t('models:source.noSuchFile', { repo, file: wanted, known })
          : t('models:source.noFiles', { repo, file: wanted }),
      );
    }
    if (!isWholeGguf(file)) throw new DownloadError(t('models:source.notWhole', { file: wanted }));
    return { files: [file], choices: without(wanted), file: wanted };
  }
  const folder = folderFiles(all);
  if (folder) return { files: folder, choices };
  const [best] = [...ggufs].sort((a, b) => rank(a) - rank(b));
  if (best) return { files: [best], choices: without(best.path), file: best.path };
  const bins = all.some(({ path }) => /^pytorch_model.*\.bin$/.test(path));
  throw new DownloadError(bins ? t('models:source.onlyPickle', { repo }) : t('models:source.noModel', { repo }));
}

/** Null when there is no config, or there are no safetensors. */
function folderFiles(all: readonly PinnedFile[]): PinnedFile[] | null {
  const find = (path: string) => all.filter((file) => file.path === path);
  const shards = all.filter(({ path }) => /^model-\d+-of-\d+\.safetensors$/.test(path));
  const [index] = find(WEIGHTS_INDEX);
  const whole = find(WEIGHTS);
  const weights = whole.length > 0 ? whole : index ? [index, ...shards] : [];
  if (find('config.json').length === 0 || weights.length === 0) return null;
  return [...TEXT_FILES.flatMap(find), ...weights].filter(({ path }) => isModelFile(path));
}

/** Parts of a vision model, and pieces of a split file, are not models by themselves. */
const isWholeGguf = ({ path }: PinnedFile): boolean => /\.gguf$/i.test(path) && !/mmproj|-\d{5}-of-\d{5}\./i.test(path);

function rank({ path }: PinnedFile): number {
  const found = PREFERRED.findIndex((type) => path.toUpperCase().includes(type));
  return found < 0 ? PREFERRED.length : found;
}
