/**
 * @file A Hugging Face model folder: config.json, tokenizer, weights as safetensors (one file or sharded by an index).
 * Loading checks every tensor against what the config implies, so that nothing above meets a missing or misshapen one.
 * Writing gives a folder that `AutoModelForCausalLM.from_pretrained` opens.
 */
import { messageOf } from '../../base/errors';
import type { FileSource } from '../files/file-source';
import { parameterShapes } from './architecture';
import { parseDecoderConfig } from './hf-config';
import type { DecoderConfig } from './hf-config';
import { checkShape, matchTensors, ModelFolderError } from './match-tensors';
import { readSafetensors, shardNames, toFloat32, writeSafetensors } from './safetensors';
import type { FloatTensor, StoredTensor } from './safetensors';
import { TextTokenizer } from '../text/tokenizer';

export interface ModelTensor {
  shape: number[];
  data: Float32Array<ArrayBuffer>;
}

export interface ModelFolder {
  /** Where it came from. */
  name: string;
  config: DecoderConfig;
  tokenizer: TextTokenizer;
  /** Row-major f32, in the order of `parameterShapes`. */
  tensors: Map<string, ModelTensor>;
  /** The small text files as they were, to be written out again beside trained weights. */
  files: Map<string, Uint8Array<ArrayBuffer>>;
}

const WEIGHTS = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const REQUIRED = ['config.json', 'tokenizer.json', 'tokenizer_config.json'] as const;
/** Copied along when present. */
const OPTIONAL = ['generation_config.json', 'special_tokens_map.json', 'chat_template.jinja'] as const;

/**
 * Loads and validates a folder.
 * @throws ModelFolderError, or UnsupportedModelError and SafetensorsError from below, each with a message for the user
 */
export async function loadModelFolder(source: FileSource): Promise<ModelFolder> {
  const { config, tokenizer, files } = await loadModelText(source);
  const stored = await readWeights(source);
  return { name: source.name, config, tokenizer, tensors: loadTensors(config, stored), files };
}

/** Everything but the weights: enough to plan memory before the large download. */
export async function loadModelText(source: FileSource): Promise<Pick<ModelFolder, 'config' | 'tokenizer' | 'files'>> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const paths = [...REQUIRED, ...OPTIONAL];
  const contents = await Promise.all(paths.map((path) => source.read(path)));
  paths.forEach((path, i) => {
    const bytes = contents[i];
    if (bytes) files.set(path, bytes);
    else if ((REQUIRED as readonly string[]).includes(path))
      throw new ModelFolderError(`${source.name} has no ${path}`);
  });
  const json = (path: string) => (files.has(path) ? parseJson(path, files.get(path)!) : undefined);
  const config = parseDecoderConfig(json('config.json'), json('generation_config.json'));
  const template = files.get('chat_template.jinja');
  const tokenizer = new TextTokenizer(
    json('tokenizer.json'),
    json('tokenizer_config.json'),
    template && new TextDecoder().decode(template),
  );
  if (tokenizer.vocabularySize > config.vocab_size) {
    throw new ModelFolderError(
      `the tokenizer has ${tokenizer.vocabularySize} tokens, but config.json's vocab_size is ${config.vocab_size}`,
    );
  }
  return { config, tokenizer, files };
}

/** The folder with other weights, as files by path. `dtype` is what the weights are stored as. */
export function writeModelFolder(
  folder: Pick<ModelFolder, 'config' | 'files'>,
  tensors: Iterable<FloatTensor>,
  dtype: 'F32' | 'F16',
): Map<string, Uint8Array<ArrayBuffer>> {
  const given = new Map([...tensors].map((tensor) => [tensor.name, tensor]));
  const ordered = parameterShapes(folder.config).map(({ name, shape }) => {
    const tensor = given.get(name);
    if (!tensor) throw new ModelFolderError(`tensor ${name} is missing`);
    checkShape(name, tensor.shape, shape);
    return tensor;
  });
  if (given.size !== ordered.length) {
    const known = new Set(ordered.map(({ name }) => name));
    throw new ModelFolderError(
      `tensor ${[...given.keys()].find((name) => !known.has(name))} is not one of the model's`,
    );
  }
  const out = new Map(folder.files);
  const config = parseJson('config.json', folder.files.get('config.json') ?? new Uint8Array()) as object;
  out.set('config.json', encodeJson({ ...config, ...dtypeKeys(config, dtype) }));
  out.set(WEIGHTS, writeSafetensors(ordered, dtype));
  return out;
}

/** The dtype under the key that the file already uses: `dtype` since Transformers 5, `torch_dtype` before. */
function dtypeKeys(config: object, dtype: 'F32' | 'F16'): object {
  const value = dtype === 'F32' ? 'float32' : 'float16';
  return 'dtype' in config ? { dtype: value } : { torch_dtype: value };
}

async function readWeights(source: FileSource): Promise<Map<string, StoredTensor>> {
  const whole = await source.read(WEIGHTS);
  if (whole) return inFile(WEIGHTS, () => readSafetensors(whole).tensors);
  const index = await source.read(INDEX);
  if (!index) throw new ModelFolderError(`${source.name} has no ${WEIGHTS}`);
  const shards = inFile(INDEX, () => shardNames(parseJson(INDEX, index)));
  const tensors = new Map<string, StoredTensor>();
  for (const shard of shards) {
    const bytes = await source.read(shard);
    if (!bytes) throw new ModelFolderError(`${source.name} has no ${shard}, which ${INDEX} names`);
    for (const [name, tensor] of inFile(shard, () => readSafetensors(bytes).tensors)) {
      if (tensors.has(name)) throw new ModelFolderError(`tensor ${name} is in two files, one of them ${shard}`);
      tensors.set(name, tensor);
    }
  }
  return tensors;
}

function loadTensors(config: DecoderConfig, stored: Map<string, StoredTensor>): ModelFolder['tensors'] {
  const tensors: ModelFolder['tensors'] = new Map();
  for (const [name, tensor] of matchTensors(config, stored)) {
    if (tensor.dtype === 'I32' || tensor.dtype === 'I64') {
      throw new ModelFolderError(`tensor ${name} holds integers (${tensor.dtype}), not floats`);
    }
    tensors.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  }
  return tensors;
}

function inFile<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new ModelFolderError(`${path}: ${messageOf(error)}`, { cause: error });
  }
}

function parseJson(path: string, bytes: Uint8Array): unknown {
  return inFile(path, () => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
}

const encodeJson = (value: unknown) => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
