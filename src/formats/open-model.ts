/** @file Opens any model: everything but its weights, of which only the places in their files are found. */
import { t } from '../i18n';
import type { ModelFiles } from './files/model-files';
import { readFolderText } from './hf/folder';
import { matchTensors, ModelFolderError } from './hf/match-tensors';
import { findTensors } from './hf/safetensors-file';
import { hasOwnHead } from './hf/tied-head';
import type { Model } from './model';
import { R1_SAMPLING, type RecommendedSampling } from './recommended-sampling';
import { templateNotices } from './text/chat-template';
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
  const { config: read, generation, tokenizer, files, notices } = await readFolderText(source, signal);
  const stored = await findTensors(source, signal);
  const untied = read.tie_word_embeddings && (await hasOwnHead(stored, signal));
  if (untied) notices.push(t('models:notices.untiedHead'));
  const config = untied ? { ...read, tie_word_embeddings: false } : read;
  const parts = { config, tokenizer, tensors: matchTensors(config, stored), notices };
  return assemble(source.name, { ...parts, sampling: recommendedSampling(source.name, tokenizer, generation), files });
}

async function openGgufFile(source: ModelFiles, path: string, signal?: AbortSignal): Promise<Model> {
  const file = await source.open(path);
  if (!file) throw new ModelFolderError(`${source.name} has no ${path}`);
  // The page's first seconds, which open the embedded folder, don't wait for the code of another format.
  const [{ openGguf }, { ggufTokenizer }] = await Promise.all([import('./gguf/gguf'), import('./gguf/gguf-tokenizer')]);
  const { metadata, config, tensors, sampling, notices } = await openGguf(file, signal);
  const tokenizer = ggufTokenizer(metadata, config.vocab_size, notices);
  if (tokenizer.vocabularySize > config.vocab_size) {
    throw new ModelFolderError(
      `the tokenizer has ${tokenizer.vocabularySize} tokens, but the embedding has ${config.vocab_size} rows`,
    );
  }
  const described = `${source.name} ${metadata.string('general.name') ?? ''}`;
  const recommended = recommendedSampling(described, tokenizer, sampling);
  return assemble(source.name, { config, tokenizer, tensors, notices, sampling: recommended, files: new Map() });
}

/** Joins what was read, with the ends that the tokenizer knows beside the config's. */
function assemble(
  name: string,
  { config, tokenizer, notices, ...rest }: Omit<Model, 'name' | 'bytes' | 'adapter'>,
): Model {
  const ends = [...new Set([...config.eos_token_ids, ...(tokenizer?.endIds ?? [])])];
  const said = tokenizer
    ? [...tokenizerNotices(tokenizer), ...(ends.length === 0 ? [t('models:notices.noEnds')] : [])]
    : [];
  return {
    ...rest,
    name,
    config: { ...config, eos_token_ids: ends },
    tokenizer,
    bytes: totalBytes(rest.tensors),
    notices: [...notices, ...said],
    adapter: null,
  };
}

/** At most so many tokens are named in a notice. */
const NAMED_TOKENS = 5;

/** A model of a toy task's characters is asked no question in words, so its template needs none of this. */
const canWrite = (tokenizer: TextTokenizer, text: string) => tokenizer.decode(tokenizer.encode(text)).trim() === text;

function tokenizerNotices(tokenizer: TextTokenizer): string[] {
  const { leftOut } = tokenizer;
  const tokens = leftOut.slice(0, NAMED_TOKENS).join(' ') + (leftOut.length > NAMED_TOKENS ? ' …' : '');
  const missing = leftOut.length > 0 ? [t('models:notices.tokensLeftOut', { count: leftOut.length, tokens })] : [];
  return canWrite(tokenizer, 'Be brief.') ? [...missing, ...templateNotices(tokenizer)] : missing;
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
