/**
 * @file One GGUF file (github.com/ggml-org/ggml, docs/gguf.md) as a model: its metadata as a DecoderConfig, its tensors
 * under Hugging Face's names. Only the header is read. The file is taken as hostile: `@huggingface/gguf` parses it, and
 * what comes out is checked before it is used.
 */
import { messageOf } from '../../base/errors';
import { readTensor } from './dequantise';
import { storedBytes, storedFormats, storedTypes, type StoredType } from './stored-types';
import { families, familyOf, nameOfGguf, type ModelType } from '../hf/architecture';
import { parseDecoderConfig, UnsupportedModelError } from '../hf/hf-config';
import type { DecoderConfig, RopeScaling } from '../hf/hf-config';
import { matchTensors } from '../hf/match-tensors';
import type { RecommendedSampling } from '../model';
import type { RangedFile, TensorEntry } from '../files/model-files';
import { readWhole } from '../files/whole-file';

/** A file that is not GGUF as the format is specified, or that is cut short. */
export class GgufError extends Error {
  override name = 'GgufError';
}

/** Keys with their values: numbers, booleans, strings and lists of them, none of them checked. */
export class GgufMetadata {
  readonly #values: Record<string, unknown>;

  constructor(values: Record<string, unknown>) {
    this.#values = values;
  }

  /** The value as it is, 64-bit integers as numbers; undefined when absent. */
  get(key: string): unknown {
    const value = Object.hasOwn(this.#values, key) ? this.#values[key] : undefined;
    return typeof value === 'bigint' ? Number(value) : value;
  }

  string(key: string): string | null {
    const value = this.get(key);
    return typeof value === 'string' ? value : null;
  }

  number(key: string): number | null {
    const value = this.get(key);
    return typeof value === 'number' && Number.isFinite(value) ? value : null;
  }

  /** @throws GgufError when there is something else than a list of the type */
  list(key: string, type: 'string'): string[] | null;
  list(key: string, type: 'number'): number[] | null;
  list(key: string, type: 'string' | 'number'): (string | number)[] | null {
    const value = this.get(key);
    if (value === undefined) return null;
    if (!Array.isArray(value) || !value.every((item) => typeof item === type)) {
      throw new GgufError(`${key} is not a list of ${type}s`);
    }
    return value as (string | number)[];
  }
}

export interface GgufModel {
  metadata: GgufMetadata;
  config: DecoderConfig;
  tensors: Map<string, TensorEntry>;
  sampling: RecommendedSampling;
  /** What the user should know, as sentences. */
  notices: string[];
}

/** More tensors than any model that fits a browser has. */
const MAX_TENSORS = 1 << 16;
const MAX_KEYS = 1 << 16;

/** The types that can be read, by ggml's numbers. */
const types = new Map(storedTypes.map((type) => [storedFormats[type].ggml, type]));

/** llama.cpp's architectures that can be computed. */
const architectures = (Object.keys(families) as ModelType[]).filter((type) => familyOf(type).gguf !== null);

const ROPE_FACTORS = 'rope_freqs.weight';

/**
 * Reads a file's header and checks all of it.
 * @throws GgufError, UnsupportedModelError, ModelFolderError, each with a message for the user; whatever reading throws
 */
export async function openGguf(file: RangedFile, signal?: AbortSignal): Promise<GgufModel> {
  const { metadata, tensors: stored } = await readHeader(file, signal);
  refuseParts(metadata);
  const architecture = metadata.string('general.architecture');
  if (architecture === null || !architectures.some((known) => known === architecture)) {
    const named = JSON.stringify(architecture?.slice(0, 60) ?? null);
    refuse(`the architecture ${named} is not supported; supported: ${architectures.join(', ')}`);
  }
  const factors = stored.get(ROPE_FACTORS);
  stored.delete(ROPE_FACTORS);
  const notices: string[] = [];
  const plain = configOf(metadata, architecture, stored, notices);
  const config = { ...plain, rope_scaling: factors ? await ropeFactors(plain, factors, signal) : null };
  const heads = { q_proj: config.num_attention_heads, k_proj: config.num_key_value_heads };
  const renamed = new Map<string, TensorEntry>();
  for (const entry of stored.values()) {
    // A name that isn't known stays as it is; matchTensors refuses it by name.
    entry.name = nameOfGguf(entry.name) ?? entry.name;
    const projection = /\.self_attn\.(q_proj|k_proj)\.weight$/.exec(entry.name)?.[1] as keyof typeof heads | undefined;
    if (familyOf(config.model_type).gguf?.interleavedHeads && projection) entry.interleavedHeads = heads[projection];
    renamed.set(entry.name, entry);
  }
  return { metadata, config, tensors: matchTensors(config, renamed), sampling: samplingOf(metadata), notices };
}

interface Header {
  metadata: GgufMetadata;
  /** The tensors by GGUF's names for them. */
  tensors: Map<string, TensorEntry>;
}

async function readHeader(file: RangedFile, signal?: AbortSignal): Promise<Header> {
  await checkStart(file, signal);
  // Imported only here: the package is large, and most visits need no GGUF.
  const { gguf, GGMLQuantizationType } = await import('@huggingface/gguf');
  let parsed;
  try {
    parsed = await gguf('https://file.invalid/model.gguf', { fetch: rangeFetch(file, signal) });
  } catch (error) {
    signal?.throwIfAborted();
    const reason = messageOf(error);
    throw new GgufError(`${file.name} can't be read as GGUF: ${reason}`, { cause: error });
  }
  const metadata = new GgufMetadata(parsed.metadata as unknown as Record<string, unknown>);
  const alignment = metadata.get('general.alignment') ?? 32;
  if (!isSize(alignment) || alignment === 0 || alignment > 1 << 16 || (alignment & (alignment - 1)) !== 0) {
    throw new GgufError(`general.alignment is not a power of two up to 65536`);
  }
  const dataStart = Number(parsed.tensorDataOffset);
  const tensors = new Map<string, TensorEntry>();
  for (const { name, shape, dtype, offset } of parsed.tensorInfos) {
    if (tensors.has(name)) throw new GgufError(`two tensors are called ${quote(name)}`);
    const type = types.get(dtype);
    if (!type) {
      const named = GGMLQuantizationType[dtype] ?? `type ${dtype}`;
      refuse(
        `tensor ${quote(name)} is stored as ${named}, which is not supported; choose a Q4_K_M, Q8_0 or F16 file instead`,
      );
    }
    const entry = place(file, name, shape.map(Number).reverse(), type, dataStart + Number(offset));
    tensors.set(name, entry);
  }
  return { metadata, tensors };
}

/** GGUF lists sizes from the innermost on; `shape` comes as PyTorch has it. */
function place(file: RangedFile, name: string, shape: number[], type: StoredType, begin: number): TensorEntry {
  const count = shape.reduce((a, b) => a * b, 1);
  if (shape.length === 0 || !shape.every(isSize) || !isSize(count) || !isSize(begin)) {
    throw new GgufError(`tensor ${quote(name)} has a shape or a place that can't be`);
  }
  if (shape.at(-1)! % storedFormats[type].weights !== 0) {
    throw new GgufError(`tensor ${quote(name)} has rows of ${shape.at(-1)}, which don't fill blocks of ${type}`);
  }
  const bytes = storedBytes(type, count);
  if (begin + bytes > file.size) {
    throw new GgufError(
      `the file is cut short: tensor ${quote(name)} ends at byte ${begin + bytes}, but there are ${file.size}`,
    );
  }
  return { name, shape, type, file, begin, bytes };
}

/** Checks what the package doesn't check, or checks only after reading much of the file. */
async function checkStart(file: RangedFile, signal?: AbortSignal): Promise<void> {
  if (file.size < 24) throw new GgufError(`${file.name} is not a GGUF file: it has only ${file.size} bytes`);
  const bytes = await readWhole(file, 24, signal, 0, 24);
  const view = new DataView(bytes.buffer);
  if (view.getUint32(0, true) !== 0x46554747) throw new GgufError(`${file.name} is not a GGUF file`);
  const version = view.getUint32(4, true);
  if (version !== 2 && version !== 3) {
    throw new GgufError(`${file.name} is GGUF of version ${version}, or big-endian; readable: little-endian 2 and 3`);
  }
  const tensors = view.getBigUint64(8, true);
  const keys = view.getBigUint64(16, true);
  if (tensors > MAX_TENSORS || keys > MAX_KEYS) {
    throw new GgufError(`${file.name} claims ${tensors} tensors and ${keys} keys`);
  }
}

/** Serves the ranges that the package asks for. It asks for a little more than there may be, and takes silence for zeros. */
function rangeFetch(file: RangedFile, signal?: AbortSignal): typeof fetch {
  return async (_, init) => {
    const range = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('range') ?? '');
    if (!range) throw new Error('a range was expected');
    const begin = Number(range[1]);
    const end = Math.min(Number(range[2]) + 1, file.size);
    // A header that runs on for more than a piece beyond the end is one that zeros were read into.
    if (begin > file.size + 4e6) throw new Error('the file is cut short in its header');
    const bytes = begin < end ? await readWhole(file, end - begin, signal, begin, end) : new Uint8Array();
    return new Response(bytes, { status: 206, headers: { 'content-range': `bytes ${begin}-${end - 1}/${file.size}` } });
  };
}

function refuseParts(metadata: GgufMetadata): void {
  const count = metadata.number('split.count');
  if (count !== null && count > 1) refuse(`this is one of ${count} parts; choose a model in a single file`);
}

/** Metadata in the words of a config.json, so that one set of checks serves both. */
function configOf(
  metadata: GgufMetadata,
  architecture: string,
  stored: ReadonlyMap<string, TensorEntry>,
  notices: string[],
): DecoderConfig {
  const at = (key: string) => metadata.get(`${architecture}.${key}`);
  const heads = at('attention.head_count');
  const hidden = at('embedding_length');
  if (Number(at('expert_count') ?? 0) > 0) refuse('mixtures of experts (expert_count) are not supported');
  const perHead = typeof heads === 'number' && typeof hidden === 'number' ? hidden / heads : undefined;
  const headDim = at('attention.key_length') ?? at('rope.dimension_count') ?? perHead;
  for (const key of ['attention.key_length', 'attention.value_length', 'rope.dimension_count']) {
    if (at(key) !== undefined && at(key) !== headDim) {
      refuse(
        `${architecture}.${key} ${show(at(key))} is not supported; supported: the size of a head, ${show(headDim)}`,
      );
    }
  }
  const scaling = at('rope.scaling.type') ?? 'none';
  if (scaling !== 'none' && !(scaling === 'linear' && at('rope.scaling.factor') === 1)) {
    refuse(`rope.scaling.type ${show(scaling)} is not supported; supported: none, or ${ROPE_FACTORS} (Llama 3)`);
  }
  const window = at('attention.sliding_window');
  if (typeof window === 'number' && window > 0 && window < Number(at('context_length'))) {
    refuse(`attention.sliding_window ${window} is not supported`);
  }
  const embedding = stored.get('token_embd.weight');
  if (!embedding) throw new GgufError('the file has no tensor token_embd.weight');
  const json = {
    model_type: architecture,
    vocab_size: embedding.shape[0],
    hidden_size: hidden,
    intermediate_size: at('feed_forward_length'),
    num_hidden_layers: at('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: at('attention.head_count_kv') ?? heads,
    head_dim: headDim,
    rms_norm_eps: at('attention.layer_norm_rms_epsilon'),
    rope_theta: at('rope.freq_base') ?? 10000,
    max_position_embeddings: at('context_length'),
    tie_word_embeddings: !stored.has('output.weight'),
    bos_token_id: metadata.get('tokenizer.ggml.bos_token_id'),
    eos_token_id: ['eos', 'eot', 'eom'].map((key) => metadata.get(`tokenizer.ggml.${key}_token_id`)),
    pad_token_id: metadata.get('tokenizer.ggml.padding_token_id'),
  };
  const optional = /^head_dim$|_token_id$/;
  const missing = Object.entries(json).find(([key, value]) => value === undefined && !optional.test(key));
  if (missing) throw new GgufError(`the metadata doesn't give ${missing[0]} (${architecture}.*)`);
  return parseDecoderConfig(json, undefined, notices);
}

/** Llama 3's scaling, as llama.cpp stores it: what each frequency is divided by. */
async function ropeFactors(config: DecoderConfig, entry: TensorEntry, signal?: AbortSignal): Promise<RopeScaling> {
  if (!familyOf(config.model_type).gguf?.ropeFactors)
    refuse(`${ROPE_FACTORS} is not supported in a ${config.model_type}`);
  if (entry.shape.length !== 1 || entry.shape[0] !== config.head_dim / 2) {
    throw new GgufError(`${ROPE_FACTORS} has shape [${entry.shape}], expected [${config.head_dim / 2}]`);
  }
  const factors = [...(await readTensor(entry, signal))];
  if (!factors.every((factor) => Number.isFinite(factor) && factor > 0)) {
    throw new GgufError(`${ROPE_FACTORS} holds values that are not positive numbers`);
  }
  return { rope_type: 'factors', factors };
}

function samplingOf(metadata: GgufMetadata): RecommendedSampling {
  const names = {
    temperature: 'temp',
    top_p: 'top_p',
    top_k: 'top_k',
    min_p: 'min_p',
    repetition_penalty: 'penalty_repeat',
  };
  const given = Object.entries(names).map(([key, name]) => [key, metadata.number(`general.sampling.${name}`)] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== null));
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const quote = (text: string) => JSON.stringify(text.length > 100 ? `${text.slice(0, 97)}…` : text);
const show = (value: unknown) => (JSON.stringify(value) ?? 'nothing').slice(0, 80);

function refuse(message: string): never {
  throw new UnsupportedModelError(message);
}
