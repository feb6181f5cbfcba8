/** @file Embedding rows from packed matrices, in one part and in several. */
import { expect, it } from 'vitest';
import { PackedGather } from '../../../src/nn/infer/packed-gather';
import { weightFormats, type WeightKind } from '../../../src/nn/infer/packed';
import { layerTest, poison } from '../harness';
import { dequantise, randomBlocks, tensorsOf, uploadMatrix } from './quant-reference';

const test = layerTest('packed-gather.test.ts');

it.each<[WeightKind, number[]]>([
  ['f32', [11]],
  ['f16', [4, 4, 3]],
  ['q8_0', [6, 5]],
  ['q6_k', [11]],
])('%s in parts of %o rows', async (kind, parts) => {
  const columns = 3 * Math.max(4, weightFormats[kind].weights);
  const rows = 11;
  const file = randomBlocks(test.random, kind, rows, columns);
  const values = dequantise(kind, file);
  const weight = uploadMatrix(test.gpu, kind, file, columns, parts);
  const gather = await PackedGather.create(test.gpu, { kind, columns });
  // Two in front that are not asked for, and one that no row has.
  const ids = Uint32Array.of(7, 7, 0, 10, 3, 6, 3, 99);
  const data = { ids, y: poison(6 * columns) };
  const out = await test.run(data, (recorder, { ids, y }) => gather.record(recorder, { ids, weight, y }, 6, 2));
  test.gpu.free(...tensorsOf(weight));
  const wrong = [...ids.subarray(2, 7)].flatMap((id, token) =>
    [...out.y.subarray(token * columns, (token + 1) * columns)].filter((v, k) => v !== values[id * columns + k]),
  );
  expect(wrong).toEqual([]);
  expect([...out.y.subarray(5 * columns)].every(Number.isNaN)).toBe(true);
});
