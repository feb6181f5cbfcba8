/** @file Opens a model of any size: everything but its weights, of which only the places are found out. */
import type { FileSource } from './files/file-source';
import { openGguf } from './gguf/gguf';
import { ggufTokenizer } from './gguf/gguf-tokenizer';
import { matchTensors, ModelFolderError } from './hf/match-tensors';
import type { ModelFiles, OpenedModel, TensorEntry } from './files/model-files';
import { loadModelText } from './hf/model-folder';
import { findTensors } from './hf/safetensors-file';
import type { TextTokenizer } from './text/tokenizer';
import { readWhole } from './files/whole-file';

/** Larger than any tokenizer.json. */
const MAX_TEXT_BYTES = 128 << 20;

/**
 * A Hugging Face folder (config.json, tokenizer, safetensors in one file or sharded), or a single .gguf file. The config is
 * checked before anything of the weights is asked for.
 * @throws UnsupportedModelError, ModelFolderError, GgufError, TokenizerError, each with a message for the user
 */
export async function openModel(files: ModelFiles, signal?: AbortSignal): Promise<OpenedModel> {
  const single = await ggufPath(files);
  return single === null ? await openFolder(files, signal) : await openSingle(files, single, signal);
}

/** The .gguf of a model that is nothing else; null for a folder. */
async function ggufPath(files: ModelFiles): Promise<string | null> {
  const paths = await files.list();
  if (paths === null)
    return /\.gguf$/i.test(files.name) && !(await files.open('config.json')) ? lastPart(files.name) : null;
  const found = paths.filter((path) => /\.gguf$/i.test(path));
  if (found.length === 0 || paths.includes('config.json')) return null;
  if (found.length > 1) throw new ModelFolderError(`${files.name} has several .gguf files; choose one of them`);
  return found[0]!;
}

const lastPart = (path: string) => path.slice(path.lastIndexOf('/') + 1);

async function openFolder(files: ModelFiles, signal?: AbortSignal): Promise<OpenedModel> {
  const text = await loadModelText(textSource(files, signal));
  const tensors = matchTensors(text.config, await findTensors(files, signal));
  const { config, tokenizer } = text;
  const generation = text.files.get('generation_config.json');
  return {
    name: files.name,
    config,
    tokenizer,
    tensors,
    bytes: totalBytes(tensors),
    sampling: recommended(files.name, tokenizer, generation && JSON.parse(new TextDecoder().decode(generation))),
  };
}

async function openSingle(files: ModelFiles, path: string, signal?: AbortSignal): Promise<OpenedModel> {
  const file = await files.open(path);
  if (!file) throw new ModelFolderError(`${files.name} has no ${path}`);
  const { metadata, config, tensors, sampling } = await openGguf(file, signal);
  const tokenizer = ggufTokenizer(metadata);
  if (tokenizer.vocabularySize > config.vocab_size) {
    throw new ModelFolderError(
      `the tokenizer has ${tokenizer.vocabularySize} tokens, but the embedding has ${config.vocab_size} rows`,
    );
  }
  const name = `${files.name} ${metadata.string('general.name') ?? ''}`;
  return {
    name: files.name,
    config,
    tokenizer,
    tensors,
    bytes: totalBytes(tensors),
    sampling: recommended(name, tokenizer, sampling),
  };
}

const totalBytes = (tensors: ReadonlyMap<string, TensorEntry>) =>
  [...tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0);

/** The small files of a folder, each read whole. */
function textSource(files: ModelFiles, signal?: AbortSignal): FileSource {
  return {
    name: files.name,
    async read(path) {
      const file = await files.open(path);
      return file && (await readWhole(file, MAX_TEXT_BYTES, signal));
    },
  };
}

/** What each setting may be; anything else in a file is passed over. */
const ranges: Record<keyof OpenedModel['sampling'], [least: number, most: number]> = {
  temperature: [0, 10],
  top_p: [0, 1],
  top_k: [0, 1 << 20],
  min_p: [0, 1],
  repetition_penalty: [0.01, 100],
};

/** The makers' settings, from generation_config.json or the GGUF; where there are none, what DeepSeek says of R1's distills. */
function recommended(name: string, tokenizer: TextTokenizer, given: unknown): OpenedModel['sampling'] {
  const settings = (given ?? {}) as Record<string, unknown>;
  const sampling: OpenedModel['sampling'] = {};
  for (const [key, [least, most]] of Object.entries(ranges)) {
    const value = settings[key];
    if (typeof value === 'number' && value >= least && value <= most) sampling[key as keyof typeof ranges] = value;
  }
  if (settings.do_sample === false) {
    // Greedy: what would only shape a draw counts for nothing, the penalty still does.
    const { repetition_penalty } = sampling;
    return { temperature: 0, ...(repetition_penalty !== undefined && { repetition_penalty }) };
  }
  const isR1 = /r1-distill/i.test(name) || tokenizer.tokenId('<｜Assistant｜>') !== null;
  return isR1 && Object.keys(sampling).length === 0 ? { temperature: 0.6, top_p: 0.95 } : sampling;
}
