/** @file Opens any model: everything but its weights, of which only the places in their files are found. */
import type { ModelFiles } from './files/model-files';
import { readFolderText } from './hf/folder';
import { matchTensors, ModelFolderError } from './hf/match-tensors';
import { findTensors } from './hf/safetensors-file';
import type { Model } from './model';
import { R1_SAMPLING, type RecommendedSampling } from './recommended-sampling';
import type { TextTokenizer } from './text/tokenizer';

/**
 * Opens a Hugging Face folder (config.json, tokenizer, safetensors in one file or sharded), or a single .gguf file. The
 * config is checked before anything of the weights is asked for.
 * @throws UnsupportedModelError, ModelFolderError, GgufError or TokenizerError, each with a message for the user; AbortError
 */
export async function openModel(files: ModelFiles, signal?: AbortSignal): Promise<Model> {
  const gguf = await ggufPath(files);
  return gguf === null ? openFolder(files, signal) : openGgufFile(files, gguf, signal);
}

/** The path of the .gguf in a model that is nothing else; null for a folder. */
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

async function openFolder(source: ModelFiles, signal?: AbortSignal): Promise<Model> {
  const { config, generation, tokenizer, files } = await readFolderText(source, signal);
  const tensors = matchTensors(config, await findTensors(source, signal));
  const sampling = recommendedSampling(source.name, tokenizer, generation);
  const { name } = source;
  return { name, config, tokenizer, tensors, bytes: totalBytes(tensors), sampling, files, adapter: null };
}

async function openGgufFile(source: ModelFiles, path: string, signal?: AbortSignal): Promise<Model> {
  const file = await source.open(path);
  if (!file) throw new ModelFolderError(`${source.name} has no ${path}`);
  // The page's first seconds, which open the embedded folder, don't wait for the code of another format.
  const [{ openGguf }, { ggufTokenizer }] = await Promise.all([import('./gguf/gguf'), import('./gguf/gguf-tokenizer')]);
  const { metadata, config, tensors, sampling } = await openGguf(file, signal);
  const tokenizer = ggufTokenizer(metadata);
  if (tokenizer.vocabularySize > config.vocab_size) {
    throw new ModelFolderError(
      `the tokenizer has ${tokenizer.vocabularySize} tokens, but the embedding has ${config.vocab_size} rows`,
    );
  }
  const described = `${source.name} ${metadata.string('general.name') ?? ''}`;
  return {
    name: source.name,
    config,
    tokenizer,
    tensors,
    bytes: totalBytes(tensors),
    sampling: recommendedSampling(described, tokenizer, sampling),
    files: new Map(),
    adapter: null,
  };
}

const totalBytes = (tensors: ReadonlyMap<string, { bytes: number }>) =>
  [...tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0);

/** The range of each setting; values outside it are ignored. */
const ranges: Record<keyof RecommendedSampling, [least: number, most: number]> = {
  temperature: [0, 10],
  top_p: [0, 1],
  top_k: [0, 1 << 20],
  min_p: [0, 1],
  repetition_penalty: [0.01, 100],
};

/** From generation_config.json or the GGUF; where neither says anything, what DeepSeek recommends for R1's distillations. */
function recommendedSampling(name: string, tokenizer: TextTokenizer | null, given: unknown): RecommendedSampling {
  const settings = (given ?? {}) as Record<string, unknown>;
  const sampling: RecommendedSampling = {};
  for (const [key, [least, most]] of Object.entries(ranges)) {
    const value = settings[key];
    if (typeof value === 'number' && value >= least && value <= most) sampling[key as keyof typeof ranges] = value;
  }
  if (settings.do_sample === false) {
    // Greedy decoding ignores everything that shapes a draw, but not the penalty.
    const { repetition_penalty } = sampling;
    return { temperature: 0, ...(repetition_penalty !== undefined && { repetition_penalty }) };
  }
  const isR1 = /r1-distill/i.test(name) || (tokenizer !== null && tokenizer.tokenId('<｜Assistant｜>') !== null);
  return isR1 && Object.keys(sampling).length === 0 ? R1_SAMPLING : sampling;
}
