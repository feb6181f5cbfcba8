/**
 * @file What is known of a model before its weights are read. The embedded model, a run's checkpoint, a download, a file
 * and an adapter on any of them are all a `Model`; `openModel` makes one.
 */
import { readTensor } from './gguf/dequantise';
import { memoryFile } from './files/memory-files';
import type { TensorEntry } from './files/model-files';
import type { DecoderConfig } from './hf/hf-config';
import { matchTensors, ModelFolderError } from './hf/match-tensors';
import type { PeftAdapter } from './hf/peft';
import type { FloatTensor } from './hf/safetensors';
import type { RecommendedSampling } from './recommended-sampling';
import type { TextTokenizer } from './text/tokenizer';

export type { RecommendedSampling } from './recommended-sampling';

export interface Model {
  name: string;
  /** The name of the model that an adapter belongs to, where that is another one. */
  baseName?: string;
  config: DecoderConfig;
  /** Null when the model comes without one; `tokenizerOf` is for those who need text. */
  tokenizer: TextTokenizer | null;
  /** One entry for each of `parameterShapes(config)`, checked against it. */
  tensors: ReadonlyMap<string, TensorEntry>;
  /** Size of all tensors as stored, in bytes. */
  bytes: number;
  sampling: RecommendedSampling;
  /** The small text files of the folder by path, to be written out again beside trained weights. */
  files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  /** What is unusual about it, as sentences for the user: its chat template stands in for a missing one, for example. */
  notices: readonly string[];
  /** Low-rank updates to be added to the weights wherever they are loaded. */
  adapter: PeftAdapter | null;
}

/** @throws ModelFolderError when the model comes without a tokenizer */
export function tokenizerOf({ name, tokenizer }: Pick<Model, 'name' | 'tokenizer'>): TextTokenizer {
  if (!tokenizer) throw new ModelFolderError(`${name} has no tokenizer.json, so it can only be used with token ids`);
  return tokenizer;
}

/** The same model with other weights. @param tensors one for each parameter */
export function withWeights(model: Model, tensors: readonly FloatTensor[], name = model.name): Model {
  const entries = tensors.map(({ name: tensor, shape, data }): [string, TensorEntry] => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const file = memoryFile(`${name}, ${tensor}`, bytes);
    return [tensor, { name: tensor, shape: [...shape], type: 'F32', file, begin: 0, bytes: bytes.byteLength }];
  });
  const matched = matchTensors(model.config, new Map(entries));
  const bytes = [...matched.values()].reduce((sum, entry) => sum + entry.bytes, 0);
  return { ...model, name, tensors: matched, bytes, adapter: null };
}

/** A tensor's values in memory, row-major. */
export interface ModelTensor {
  shape: number[];
  data: Float32Array<ArrayBuffer>;
}

/**
 * All weights as f32, in the order of `parameterShapes`, with the adapter added.
 * @param onProgress called with the stored bytes that have been read, and their total
 * @throws Error when a file gives fewer bytes than it should; AbortError
 */
export async function readWeights(
  model: Pick<Model, 'tensors' | 'adapter' | 'bytes'>,
  onProgress: (bytes: number, total: number) => void = () => {},
  signal?: AbortSignal,
): Promise<Map<string, ModelTensor>> {
  const weights = new Map<string, ModelTensor>();
  let read = 0;
  for (const [name, entry] of model.tensors) {
    const data = await readTensor(entry, signal);
    const module = model.adapter?.modules.get(name.replace(/\.weight$/, ''));
    if (module) addLowRank(data, module);
    weights.set(name, { shape: entry.shape, data });
    onProgress((read += entry.bytes), model.bytes);
  }
  return weights;
}

/** W += scale · B A, for W [rows, columns], A [rank, columns] and B [rows, rank]. */
function addLowRank(
  weight: Float32Array,
  { a, b, rank, scale }: { a: Float32Array; b: Float32Array; rank: number; scale: number },
): void {
  const columns = a.length / rank;
  const rows = b.length / rank;
  for (let row = 0; row < rows; row++) {
    for (let r = 0; r < rank; r++) {
      const factor = scale * b[row * rank + r]!;
      if (factor === 0) continue;
      for (let column = 0; column < columns; column++) {
        weight[row * columns + column]! += factor * a[r * columns + column]!;
      }
    }
  }
}
