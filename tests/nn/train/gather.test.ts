/** @file Gathering rows and adding their gradients up again, against float64. */
import { expect, it } from 'vitest';
import { Gather, invertIndex } from '../../../src/nn/train/gather';
import { layerTest, poison } from '../harness';
import { relativeError } from '../reference';

const test = layerTest('gather.test.ts');

it.each([
  { tableRows: 64, rows: 111, columns: 48 },
  { tableRows: 7, rows: 300, columns: 33 },
  { tableRows: 50, rows: 1, columns: 5 },
])('gathers, and sums what goes back to each row, or adds it: %o', async ({ tableRows, rows, columns }) => {
  const [plain, adding] = await Promise.all([
    Gather.create(test.gpu, columns, false),
    Gather.create(test.gpu, columns, true),
  ]);
  // Half of the table at most, so that some rows get nothing, and one often.
  const index = Uint32Array.from({ length: rows }, (_, i) => (i % 3 ? test.random.int(0, tableRows >> 1) : 1));
  const [table, dOut, before] = [
    test.floats(tableRows * columns),
    test.floats(rows * columns),
    test.floats(tableRows * columns),
  ];
  const inverse = invertIndex(index, tableRows);
  const data = {
    table,
    index,
    dOut,
    ...inverse,
    out: poison(rows * columns),
    dTable: poison(tableRows * columns),
    sum: before,
  };
  const out = await test.run(data, (recorder, t) => {
    plain.forward(recorder, t.table, t.index, t.out, rows);
    plain.backward(recorder, t, tableRows);
    adding.backward(recorder, { ...t, dTable: t.sum }, tableRows);
  });
  expect(out.out).toEqual(
    Float32Array.from(
      { length: rows * columns },
      (_, i) => table[index[Math.floor(i / columns)]! * columns + (i % columns)]!,
    ),
  );
  const sums = new Float64Array(tableRows * columns);
  dOut.forEach((value, i) => (sums[index[Math.floor(i / columns)]! * columns + (i % columns)]! += value));
  expect(relativeError(out.dTable, sums)).toBeLessThan(1e-5);
  expect(
    relativeError(
      out.sum,
      sums.map((value, i) => value + before[i]!),
    ),
  ).toBeLessThan(1e-5);
});

it('inverts an index: each place once, under its row, in order', () => {
  const index = Uint32Array.from({ length: 40 }, () => test.random.int(0, 8));
  const { start, item } = invertIndex(index, 10);
  expect(start).toHaveLength(11);
  for (let row = 0; row < 10; row++) {
    const places = [...index.keys()].filter((i) => index[i] === row);
    expect([...item.subarray(start[row], start[row + 1])]).toEqual(places);
  }
});
