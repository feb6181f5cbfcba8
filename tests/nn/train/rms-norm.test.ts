/** @file RMSNorm over a residual stream and over heads of packed lines, forward and backward, against float64. */
import { describe, expect, it } from 'vitest';
import { RmsNorm, rmsNormScratchBytes } from '../../../src/nn/train/rms-norm';
import { layerTest, poison } from '../harness';
import { relativeError, rmsNorm, rmsNormBackward } from '../reference';

const test = layerTest('rms-norm.test.ts');
const epsilon = 1e-5;

interface Case {
  lines: number;
  size: number;
  heads?: number;
  stride?: number;
  base?: number;
}

/** The normalised values of packed lines, row by row. */
function rowsOf(values: Float32Array, { lines, size, heads = 1, stride = size, base = 0 }: Case): Float32Array {
  const rows = new Float32Array(lines * heads * size);
  for (let line = 0; line < lines; line++) {
    const start = line * stride + base;
    rows.set(values.subarray(start, start + heads * size), line * heads * size);
  }
  return rows;
}

/** The lines with other values in the normalised places. */
function withRows(values: Float32Array, rows: ArrayLike<number>, c: Case): Float32Array {
  const { lines, size, heads = 1, stride = size, base = 0 } = c;
  const out = values.slice();
  for (let i = 0; i < lines * heads * size; i++) {
    out[Math.floor(i / (heads * size)) * stride + base + (i % (heads * size))] = rows[i]!;
  }
  return out;
}

describe.each<Case>([
  { lines: 37, size: 128 },
  { lines: 5, size: 47 },
  { lines: 3, size: 601 },
  { lines: 70, size: 16, heads: 3, stride: 112, base: 32 },
  { lines: 1, size: 12, heads: 2, stride: 31, base: 5 },
])('%o', (c) => {
  const { lines, size, heads = 1, stride = size } = c;
  const rows = lines * heads;

  it('normalises, with and without a copy, and leaves the rest of a line alone', async () => {
    const norm = await RmsNorm.create(test.gpu, { ...c, epsilon });
    const [x, weight] = [test.floats(lines * stride, 3), test.floats(size)];
    const data = {
      x,
      weight,
      y: poison(lines * stride),
      rstd: poison(rows),
      y2: poison(lines * stride),
      rstd2: poison(rows),
      copy: poison(lines * stride),
    };
    const out = await test.run(data, (recorder, t) => {
      norm.forward(recorder, { x: t.x, weight: t.weight, y: t.y, rstd: t.rstd }, lines);
      norm.forward(recorder, { x: t.x, weight: t.weight, y: t.y2, rstd: t.rstd2, copy: t.copy }, lines);
    });
    const reference = rmsNorm(rowsOf(x, c), weight, epsilon);
    expect(relativeError(rowsOf(out.y, c), reference.y)).toBeLessThan(1e-5);
    expect(relativeError(out.rstd, reference.rstd)).toBeLessThan(1e-5);
    expect(out.y).toEqual(withRows(data.y, rowsOf(out.y, c), c));
    expect(out.y2).toEqual(out.y);
    expect(out.rstd2).toEqual(out.rstd);
    expect(out.copy).toEqual(withRows(data.copy, rowsOf(x, c), c));
  });

  it.each([false, true])('adds up both gradients; in place: %s', async (inPlace) => {
    const norm = await RmsNorm.create(test.gpu, { ...c, epsilon, inPlace });
    const [x, weight] = [test.floats(lines * stride, 3), test.floats(size)];
    const [dy, before, dWeight] = [test.floats(lines * stride), test.floats(lines * stride), test.floats(size)];
    const rstd = Float32Array.from(rmsNorm(rowsOf(x, c), weight, epsilon).rstd);
    const scratch = poison(rmsNormScratchBytes(rows, size) / 4);
    const data = { x, weight, rstd, dy, dx: inPlace ? dy : before, dWeight, scratch };
    const out = await test.run(data, (recorder, t) =>
      norm.backward(recorder, { ...t, dy: inPlace ? null : t.dy }, lines),
    );
    const reference = rmsNormBackward(rowsOf(x, c), weight, rowsOf(dy, c), epsilon);
    const old = rowsOf(before, c);
    const dx = reference.dx.map((value, i) => value + (inPlace ? 0 : old[i]!));
    expect(relativeError(rowsOf(out.dx, c), dx)).toBeLessThan(1e-5);
    expect(out.dx).toEqual(withRows(data.dx, rowsOf(out.dx, c), c));
    expect(
      relativeError(
        out.dWeight,
        reference.dWeight.map((value, i) => value + dWeight[i]!),
      ),
    ).toBeLessThan(1e-5);
  });
});
