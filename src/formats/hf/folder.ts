/**
 * @file The small files of a Hugging Face model folder (config.json, tokenizer, generation settings), and writing a folder
 * that `AutoModelForCausalLM.from_pretrained` opens. The weights themselves: ./safetensors-file.ts.
 */
import { messageOf } from '../../base/errors';
import { parsePythonJson } from '../../base/python-json';
import type { ModelFiles } from '../files/model-files';
import { readWhole } from '../files/whole-file';
import { TextTokenizer } from '../text/tokenizer';
import { parameterShapes } from './architecture';
import { MAX_TEXT_BYTES, TEXT_FILES, WEIGHTS } from './file-names';
import { parseDecoderConfig, type DecoderConfig } from './hf-config';
import { checkShape, ModelFolderError } from './match-tensors';
import { writeSafetensors, type FloatTensor } from './safetensors';

export interface FolderText {
  config: DecoderConfig;
  /** generation_config.json, parsed; undefined when there is none. */
  generation: unknown;
  /** Null when the folder has no tokenizer.json. */
  tokenizer: TextTokenizer | null;
  /** All of the small files that are there, as they are. */
  files: Map<string, Uint8Array<ArrayBuffer>>;
  /** What the user should know, as sentences. */
  notices: string[];
}

/**
 * Reads everything but the weights: enough to plan memory before the large download.
 * @throws ModelFolderError, UnsupportedModelError or TokenizerError, each with a message for the user
 */
export async function readFolderText(source: ModelFiles, signal?: AbortSignal): Promise<FolderText> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  await Promise.all(
    TEXT_FILES.map(async (path) => {
      const file = await source.open(path);
      if (file) files.set(path, await readWhole(file, MAX_TEXT_BYTES, signal));
    }),
  );
  const json = (path: string) => (files.has(path) ? parseJson(path, files.get(path)!) : undefined);
  if (!files.has('config.json')) throw new ModelFolderError(`${source.name} has no config.json`);
  const generation = json('generation_config.json');
  const notices: string[] = [];
  const config = parseDecoderConfig(json('config.json'), generation, notices);
  return { config, generation, tokenizer: readTokenizer(source.name, config, files, json), files, notices };
}

function readTokenizer(
  name: string,
  config: DecoderConfig,
  files: ReadonlyMap<string, Uint8Array>,
  json: (path: string) => unknown,
): TextTokenizer | null {
  if (!files.has('tokenizer.json')) return null;
  if (!files.has('tokenizer_config.json')) throw new ModelFolderError(`${name} has no tokenizer_config.json`);
  const template = files.get('chat_template.jinja');
  const tokenizer = new TextTokenizer(
    json('tokenizer.json'),
    json('tokenizer_config.json'),
    template && new TextDecoder().decode(template),
    { rows: config.vocab_size },
  );
  if (tokenizer.vocabularySize > config.vocab_size) {
    throw new ModelFolderError(
      `the tokenizer has ${tokenizer.vocabularySize} tokens, but config.json's vocab_size is ${config.vocab_size}`,
    );
  }
  return tokenizer;
}

/**
 * The files of a model folder with the given weights, by path.
 * @param dtype what the weights are stored as
 * @throws ModelFolderError for a tensor that is missing, misshapen or not one of the model's
 */
export function writeModelFolder(
  folder: { config: DecoderConfig; files: ReadonlyMap<string, Uint8Array<ArrayBuffer>> },
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

function parseJson(path: string, bytes: Uint8Array): unknown {
  try {
    return parsePythonJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new ModelFolderError(`${path}: ${messageOf(error)}`, { cause: error });
  }
}

const encodeJson = (value: unknown) => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
