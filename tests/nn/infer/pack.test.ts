/** @file Packing weights on the GPU and reading them back, against what the `gguf` package computes, bit for bit. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu, Tensor } from '../../../src/gpu/gpu';
import { canPack, Packer, type PackPlace } from '../../../src/nn/infer/pack';
import { PackedGather } from '../../../src/nn/infer/packed-gather';
import { weightFormats, weightKinds, type PackedMatrix, type WeightKind } from '../../../src/nn/infer/packed';
import { rng } from '../../../src/base/rng';
import { openTestGpu } from '../../support/gpu';
import { dequantise, emptyMatrix, packRows, randomBlocks, tensorsOf } from './quant-reference';

interface Golden {
  rows: number;
  columns: number;
  source: string;
  quantised: Record<'Q8_0' | 'Q4_0', string>;
  [type: string]: unknown;
}
const golden = JSON.parse(readFileSync('tests/goldens/gguf/blocks.json', 'utf8')) as Golden;
const kindOf = (type: string) => type.toLowerCase() as WeightKind;
const bytesOf = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, 'base64'));
const types = Object.keys(golden).filter((type) => /^Q/.test(type));

const random = rng(5);
let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.destroy());

/** How many bytes differ, and where the first is. */
function difference(a: Uint8Array, b: Uint8Array): string {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  if (a.length !== b.length) return `${a.length} bytes instead of ${b.length}`;
  return at < 0 ? 'none' : `${a.filter((byte, i) => byte !== b[i]).length} bytes, the first at ${at}`;
}

const bytes = (data: Float32Array): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

async function pack(from: WeightKind, matrix: PackedMatrix, rows: Uint8Array<ArrayBuffer>, place: PackPlace = {}) {
  const packer = await Packer.create(gpu, { from, kind: matrix.kind, columns: matrix.columns });
  const raw: Tensor = gpu.alloc('raw', rows.length + 16);
  const padded = new Uint8Array(Math.ceil(rows.length / 4) * 4);
  padded.set(rows);
  gpu.write(raw, padded);
  const recorder = gpu.recorder();
  packer.pack(recorder, raw, rows.length / packer.fileRowBytes, matrix, place);
  recorder.submit();
  gpu.free(raw);
}

async function contents(matrix: PackedMatrix): Promise<Uint8Array> {
  const parts = await Promise.all(tensorsOf(matrix).map((tensor) => gpu.read(tensor)));
  return new Uint8Array(Buffer.concat(parts.map((part) => new Uint8Array(part))));
}

/** Rows of a matrix as the kernels read them, by way of the embedding's gather. */
async function unpack(matrix: PackedMatrix, firstRow = 0, rows = matrix.rows): Promise<Float32Array> {
  const gather = await PackedGather.create(gpu, matrix);
  const ids = gpu.alloc('ids', 4 * rows);
  gpu.write(
    ids,
    Uint32Array.from({ length: rows }, (_, i) => firstRow + i),
  );
  const y = gpu.alloc('rows', 4 * rows * matrix.columns);
  const recorder = gpu.recorder();
  gather.record(recorder, { ids, weight: matrix, y }, rows);
  recorder.submit();
  const values = new Float32Array(await gpu.read(y, 4 * rows * matrix.columns));
  gpu.free(ids, y);
  return values;
}

describe.each(types)('%s', (type) => {
  const kind = kindOf(type);
  const { blocks, values } = golden[type] as { blocks: string; values: string };

  it('dequantises to the bits of gguf', async () => {
    const matrix = emptyMatrix(gpu, kind, golden.rows, golden.columns);
    await pack(kind, matrix, bytesOf(blocks));
    expect(difference(bytes(await unpack(matrix)), bytesOf(values))).toBe('none');
    gpu.free(...tensorsOf(matrix));
  });

  it('has the same reference here as there', () => {
    expect(difference(bytes(dequantise(kind, bytesOf(blocks))), bytesOf(values))).toBe('none');
  });
});

describe.each(weightKinds)('%s', (kind) => {
  // An odd number of blocks: rows end within a word.
  const columns = 3 * Math.max(4, weightFormats[kind].weights);

  it('sorts blocks into planes, in two parts and two pieces', async () => {
    const rows = 7;
    const file = randomBlocks(random, kind, rows, columns);
    const matrix = emptyMatrix(gpu, kind, rows, columns, [4, 3]);
    const cut = 2 * (file.length / rows);
    await pack(kind, matrix, file.slice(0, cut));
    await pack(kind, matrix, file.slice(cut), { firstRow: 2 });
    expect(difference(await contents(matrix), packRows(kind, file, columns))).toBe('none');
    expect(
      difference(bytes(await unpack(matrix, 3, 3)), bytes(dequantise(kind, file).slice(3 * columns, 6 * columns))),
    ).toBe('none');
    gpu.free(...tensorsOf(matrix));
  });
});

describe('conversions', () => {
  it.each(['Q8_0', 'Q4_0'] as const)('quantises to the bytes of gguf: %s', async (type) => {
    const kind = kindOf(type);
    const matrix = emptyMatrix(gpu, kind, golden.rows, golden.columns);
    await pack('f32', matrix, bytesOf(golden.source));
    const expected = packRows(kind, bytesOf(golden.quantised[type]), golden.columns);
    expect(difference(await contents(matrix), expected)).toBe('none');
    gpu.free(...tensorsOf(matrix));
  });

  it('rounds to f16 as IEEE 754 says', async () => {
    const halves = Uint16Array.from([...Array(0x7c00).keys()]);
    // Every f16, and what lies just below, at and just above the middle to the next.
    const source = new Float32Array(4 * halves.length);
    const expected = new Uint16Array(source.length);
    const words = new Uint32Array(source.buffer);
    const float = (half: number) => dequantise('f16', new Uint8Array(Uint16Array.of(half).buffer))[0]!;
    halves.forEach((half, i) => {
      const middle = half === 0x7bff ? 65520 : (float(half) + float(half + 1)) / 2;
      source.set([float(half), middle, middle, middle], 4 * i);
      words[4 * i + 1]! -= 1;
      words[4 * i + 3]! += 1;
      expected.set([half, half, half + (half & 1), half + 1], 4 * i);
    });
    for (let i = 0; i < source.length; i += 3) {
      source[i] = -source[i]!;
      expected[i]! |= 0x8000;
    }
    const matrix = emptyMatrix(gpu, 'f16', halves.length / 256, 1024);
    await pack('f32', matrix, bytes(source) as Uint8Array<ArrayBuffer>);
    expect(difference(await contents(matrix), new Uint8Array(expected.buffer))).toBe('none');
    gpu.free(...tensorsOf(matrix));
  });

  const conversions: [WeightKind, WeightKind][] = [
    ['f16', 'f32'],
    ['bf16', 'f32'],
    ['bf16', 'f16'],
    ['f16', 'q8_0'],
    ['bf16', 'q8_0'],
    ['bf16', 'q4_0'],
  ];
  it.each(conversions)('converts %s to %s as by way of f32', async (type, kind) => {
    const columns = 96;
    const file = randomBlocks(random, type, 5, columns);
    const matrices = [emptyMatrix(gpu, kind, 5, columns), emptyMatrix(gpu, kind, 5, columns)];
    await pack(type, matrices[0]!, file);
    await pack('f32', matrices[1]!, bytes(dequantise(type, file)) as Uint8Array<ArrayBuffer>);
    expect(difference(await contents(matrices[0]!), await contents(matrices[1]!))).toBe('none');
    gpu.free(...matrices.flatMap(tensorsOf));
  });

  it('refuses what it cannot do', async () => {
    expect(canPack('q4_k', 'q8_0', 256)).toBe(false);
    expect(canPack('bf16', 'q4_0', 48)).toBe(false);
    await expect(Packer.create(gpu, { from: 'q4_1', kind: 'f16', columns: 64 })).rejects.toThrow('q4_1');
  });
});

it('stacks tensors, and undoes the interleaving of heads, over parts and pieces', async () => {
  const [columns, headDim, heads, before] = [8, 6, 3, 5];
  const rows = headDim * heads;
  const stored = Float32Array.from({ length: rows * columns }, (_, i) => i);
  const matrix = emptyMatrix(gpu, 'f32', before + rows, columns, [10, 13]);
  const other = Float32Array.from({ length: before * columns }, (_, i) => -1 - i);
  await pack('f32', matrix, bytes(other) as Uint8Array<ArrayBuffer>);
  const cut = 8 * columns;
  const place = { destinationRow: before, headDim };
  await pack('f32', matrix, bytes(stored.slice(0, cut)) as Uint8Array<ArrayBuffer>, place);
  await pack('f32', matrix, bytes(stored.slice(cut)) as Uint8Array<ArrayBuffer>, { ...place, firstRow: 8 });
  const expected = new Float32Array((before + rows) * columns);
  expected.set(other);
  for (let row = 0; row < rows; row++) {
    const [head, r] = [Math.floor(row / headDim), row % headDim];
    const from = head * headDim + (r < headDim / 2 ? 2 * r : 2 * (r - headDim / 2) + 1);
    expected.set(stored.subarray(from * columns, (from + 1) * columns), (before + row) * columns);
  }
  expect([...(await unpack(matrix))]).toEqual([...expected]);
  gpu.free(...tensorsOf(matrix));
});
