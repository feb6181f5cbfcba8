/**
 * @file Reads and writes safetensors (https://github.com/huggingface/safetensors): eight bytes of header length, a JSON
 * header, then the tensors' bytes, little-endian. The reader takes the file as hostile: every number in the header is
 * checked against the bytes that are there before any of them is used.
 */
import { messageOf } from '../../base/errors';
import { float16ToFloat32, float32ToFloat16 } from '../../base/half';

/** A file that is not safetensors as the format is specified, or that is cut short. */
export class SafetensorsError extends Error {
  override name = 'SafetensorsError';
}

export type Dtype = 'F32' | 'F16' | 'BF16' | 'I32' | 'I64';

const bytesPerValue: Record<Dtype, number> = { F32: 4, F16: 2, BF16: 2, I32: 4, I64: 8 };

/** The reference implementation's limit on the header. */
const MAX_HEADER_BYTES = 100_000_000;

export interface StoredTensor {
  name: string;
  dtype: Dtype;
  shape: number[];
  /** The tensor's bytes as stored, a view into the file. */
  bytes: Uint8Array;
}

export interface SafetensorsFile {
  tensors: Map<string, StoredTensor>;
  metadata: Record<string, string>;
}

export interface FloatTensor {
  name: string;
  shape: readonly number[];
  data: Float32Array;
}

/**
 * Reads a whole file held in memory. Tensors come in the order of their bytes; nothing is copied.
 * @throws SafetensorsError saying what is wrong; for a file cut short, the bytes expected and the bytes there.
 */
export function readSafetensors(file: Uint8Array): SafetensorsFile {
  const dataStart = HEADER_START + headerLength(file.subarray(0, HEADER_START), file.byteLength);
  const { places, metadata } = readHeader(file.subarray(HEADER_START, dataStart), file.byteLength);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of places) {
    tensors.set(name, { name, dtype, shape, bytes: file.subarray(begin, end) });
  }
  return { tensors, metadata };
}

/** Where a tensor lies, in bytes from the start of the file. */
export interface TensorPlace {
  name: string;
  dtype: Dtype;
  shape: number[];
  begin: number;
  end: number;
}

/** The header follows its own length. */
export const HEADER_START = 8;

/**
 * The header's length, from the first eight bytes of a file of so many bytes.
 * @throws SafetensorsError
 */
export function headerLength(start: Uint8Array, fileBytes: number): number {
  if (start.byteLength < HEADER_START) fail(`the file is cut short: at least 8 bytes expected, ${fileBytes} there`);
  const length = new DataView(start.buffer, start.byteOffset, HEADER_START).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES) fail(`this is not a safetensors file: it claims a header of ${length} bytes`);
  const dataStart = HEADER_START + Number(length);
  if (dataStart > fileBytes) {
    fail(`the file is cut short in its header: ${dataStart} bytes expected, ${fileBytes} there`);
  }
  return Number(length);
}

/**
 * The tensors' places in the order of their bytes, checked against each other and against the file's size.
 * @param header the header's bytes, its length not among them
 * @throws SafetensorsError
 */
export function readHeader(
  header: Uint8Array,
  fileBytes: number,
): { places: TensorPlace[]; metadata: Record<string, string> } {
  const json = parseHeader(header);
  const dataStart = HEADER_START + header.byteLength;
  const places: TensorPlace[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name !== '__metadata__') places.push(readEntry(name, value, dataStart));
  }
  places.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let position = dataStart;
  for (const { name, begin, end } of places) {
    if (begin < position) fail(`tensor ${quote(name)} overlaps the one before it`);
    if (begin > position) fail(`there is a hole of ${begin - position} bytes before tensor ${quote(name)}`);
    position = end;
  }
  if (position > fileBytes) fail(`the file is cut short: ${position} bytes expected, ${fileBytes} there`);
  if (position < fileBytes) {
    fail(`the file has bytes after its last tensor: ${position} expected, ${fileBytes} there`);
  }
  return { places, metadata: readMetadata(json.__metadata__) };
}

/** The files that an index of shards names. @throws SafetensorsError */
export function shardNames(index: unknown): string[] {
  const map = isObject(index) ? index.weight_map : undefined;
  if (!isObject(map)) fail('there is no weight_map');
  const names = [...new Set(Object.values(map))];
  const wrong = names.find((name) => typeof name !== 'string' || !/^[\w.-]+\.safetensors$/.test(name));
  if (wrong !== undefined) fail(`${quote(String(wrong))} is not a safetensors file`);
  return (names as string[]).sort();
}

/** The values as f32: F16 and BF16 exactly, I32 and I64 rounded where f32 can't hold them. Always a copy. */
export function toFloat32(tensor: StoredTensor): Float32Array<ArrayBuffer> {
  const { dtype, bytes } = tensor;
  const count = bytes.byteLength / bytesPerValue[dtype];
  const out = new Float32Array(count);
  if (dtype === 'F32') {
    // A copy first: a tensor may start at any byte, and a Float32Array only at a multiple of four.
    new Uint8Array(out.buffer).set(bytes);
    return out;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (dtype) {
    case 'F16':
      for (let i = 0; i < count; i++) out[i] = float16ToFloat32(view.getUint16(2 * i, true));
      break;
    case 'BF16': {
      const bits = new Uint32Array(out.buffer);
      for (let i = 0; i < count; i++) bits[i] = view.getUint16(2 * i, true) << 16;
      break;
    }
    case 'I32':
      for (let i = 0; i < count; i++) out[i] = view.getInt32(4 * i, true);
      break;
    case 'I64':
      for (let i = 0; i < count; i++) out[i] = Number(view.getBigInt64(8 * i, true));
      break;
  }
  return out;
}

/**
 * The values of an integer tensor as numbers.
 * @throws SafetensorsError for another dtype, or a value beyond 2^53.
 */
export function toIntegers(tensor: StoredTensor): number[] {
  const { dtype, bytes, name } = tensor;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (dtype === 'I32') return Array.from({ length: bytes.byteLength / 4 }, (_, i) => view.getInt32(4 * i, true));
  if (dtype !== 'I64') fail(`tensor ${quote(name)} is ${dtype}, not integers`);
  return Array.from({ length: bytes.byteLength / 8 }, (_, i) => {
    const value = Number(view.getBigInt64(8 * i, true));
    if (!Number.isSafeInteger(value)) fail(`tensor ${quote(name)} holds ${value}, beyond 2^53`);
    return value;
  });
}

/**
 * Writes tensors in the order given. F16 rounds to nearest, ties to even; values beyond f16's range become infinities,
 * as in PyTorch.
 * @throws SafetensorsError when a name comes twice or a shape and its data disagree.
 */
export function writeSafetensors(
  tensors: Iterable<FloatTensor>,
  dtype: 'F32' | 'F16' = 'F32',
  metadata: Record<string, string> = {},
): Uint8Array<ArrayBuffer> {
  const list = [...tensors];
  const width = bytesPerValue[dtype];
  const header: [string, unknown][] = [['__metadata__', { format: 'pt', ...metadata }]];
  const seen = new Set(['__metadata__']);
  let offset = 0;
  for (const { name, shape, data } of list) {
    if (seen.has(name)) fail(`two tensors are called ${quote(name)}`);
    seen.add(name);
    if (product(shape) !== data.length) fail(`tensor ${quote(name)} has shape [${shape}] but ${data.length} values`);
    const end = offset + data.length * width;
    header.push([name, { dtype, shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  // Spaces up to a multiple of eight, so that readers can map the data without copying.
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + headerBytes + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.fill(0x20, 8, 8 + headerBytes);
  file.set(json, 8);
  let position = 8 + headerBytes;
  for (const { data } of list) {
    const bytes = dtype === 'F32' ? data : Uint16Array.from(data, float32ToFloat16);
    file.set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), position);
    position += bytes.byteLength;
  }
  return file;
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    fail(`the header is not JSON: ${messageOf(error)}`);
  }
  if (!isObject(header)) fail('the header is not a JSON object');
  return header;
}

function readMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value)) fail('__metadata__ is not an object');
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') fail(`__metadata__ ${quote(key)} is not a string`);
  }
  return value as Record<string, string>;
}

function readEntry(name: string, value: unknown, dataStart: number): TensorPlace {
  if (!isObject(value)) fail(`tensor ${quote(name)} is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(bytesPerValue, dtype)) {
    const known = Object.keys(bytesPerValue).join(', ');
    fail(`tensor ${quote(name)} has dtype ${quote(String(dtype))}; readable: ${known}`);
  }
  if (!Array.isArray(shape) || !shape.every(isSize))
    fail(`tensor ${quote(name)} has a shape that is not a list of sizes`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    fail(`tensor ${quote(name)} has data_offsets that are not two positions`);
  }
  const [begin, end] = offsets as [number, number];
  const bytes = product(shape) * bytesPerValue[dtype as Dtype];
  if (!Number.isSafeInteger(bytes) || end - begin !== bytes) {
    fail(`tensor ${quote(name)} of shape [${shape}] and ${dtype} needs ${bytes} bytes, but has ${end - begin}`);
  }
  return { name, dtype: dtype as Dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const quote = (text: string) => JSON.stringify(text.length > 100 ? `${text.slice(0, 97)}…` : text);

function fail(message: string): never {
  throw new SafetensorsError(message);
}
