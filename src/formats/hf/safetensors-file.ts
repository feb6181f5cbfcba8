/** @file Where the tensors of safetensors files lie, read from their headers alone: the weights stay where they are. */
import { messageOf } from '../../base/errors';
import { WEIGHTS, WEIGHTS_INDEX } from './file-names';
import { ModelFolderError } from './match-tensors';
import type { ModelFiles, RangedFile, TensorEntry } from '../files/model-files';
import { HEADER_START, headerLength, readHeader, SafetensorsError, shardNames } from './safetensors';
import { readWhole } from '../files/whole-file';

const MAX_INDEX_BYTES = 64 << 20;

/**
 * The tensors of a model folder, in one file or in the shards that its index names.
 * @throws ModelFolderError naming the file; whatever reading throws
 */
export async function findTensors(files: ModelFiles, signal?: AbortSignal): Promise<Map<string, TensorEntry>> {
  const whole = await files.open(WEIGHTS);
  if (whole) return new Map((await readFile(whole, signal)).map((entry) => [entry.name, entry]));
  const index = await files.open(WEIGHTS_INDEX);
  if (!index) throw new ModelFolderError(`${files.name} has no ${WEIGHTS}`);
  const json = new TextDecoder().decode(await readWhole(index, MAX_INDEX_BYTES, signal));
  const shards = inFile(WEIGHTS_INDEX, () => shardNames(JSON.parse(json)));
  const tensors = new Map<string, TensorEntry>();
  for (const shard of shards) {
    const file = await files.open(shard);
    if (!file) throw new ModelFolderError(`${files.name} has no ${shard}, which ${WEIGHTS_INDEX} names`);
    for (const entry of await readFile(file, signal)) {
      if (tensors.has(entry.name)) {
        throw new ModelFolderError(`tensor ${entry.name} is in two files, one of them ${shard}`);
      }
      tensors.set(entry.name, entry);
    }
  }
  return tensors;
}

async function readFile(file: RangedFile, signal?: AbortSignal): Promise<TensorEntry[]> {
  const start = await readWhole(file, HEADER_START, signal, 0, Math.min(HEADER_START, file.size));
  const length = inFile(file.name, () => headerLength(start, file.size));
  const header = await readWhole(file, length, signal, HEADER_START, HEADER_START + length);
  return inFile(file.name, () =>
    readHeader(header, file.size).places.map(({ name, dtype, shape, begin, end }) => {
      if (dtype === 'I32' || dtype === 'I64') {
        throw new SafetensorsError(`tensor ${name} holds integers (${dtype}), not floats`);
      }
      return { name, shape, type: dtype, file, begin, bytes: end - begin };
    }),
  );
}

function inFile<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new ModelFolderError(`${path}: ${messageOf(error)}`, { cause: error });
  }
}
