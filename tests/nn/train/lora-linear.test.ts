/** @file A linear layer with adapters, forwards and backwards, against float64 sums on the CPU. */
import { expect, it } from 'vitest';
import { LoraLinear } from '../../../src/nn/train/lora-linear';
import { loraSizes, type LoraShape } from '../../../src/nn/train/lora-shape';
import { layerTest, poison } from '../harness';
import { dequantise, randomBlocks, tensorsOf, uploadMatrix } from '../infer/quant-reference';
import { relativeError } from '../reference';

const test = layerTest('lora-linear.test.ts');

const IN = 36;
const OUT = 75;
const SCALE = 1.5;
/** A power of two, as in the decoder. */
const GRADIENT_SCALE = 8;

interface Case {
  name: string;
  rank: number;
  blocks: LoraShape['blocks'];
  tokens: number;
}

const cases: Case[] = [
  // As q and v of a stack of q, k and v.
  {
    name: 'two of three stacked modules, rank 12',
    rank: 12,
    blocks: [
      { first: 0, rows: 41 },
      { first: 58, rows: 17 },
    ],
    tokens: 9,
  },
  { name: 'one module, rank 16', rank: 16, blocks: [{ first: 0, rows: OUT }], tokens: 6 },
];

it.each(cases)('$name', async ({ rank, blocks, tokens }) => {
  const { floats } = test;
  const lora: LoraShape = { inFeatures: IN, outFeatures: OUT, rank, blocks };
  const sizes = loraSizes(lora);
  const narrow = blocks.length * rank;
  const [x, dy, bias] = [floats(tokens * IN), floats(tokens * OUT), floats(OUT)];
  const [a, b, da, db] = [floats(sizes.a), floats(sizes.b), floats(sizes.a), floats(sizes.b)];
  const packed = randomBlocks(test.random, 'f16', OUT, IN);
  const w = dequantise('f16', packed);
  const weight = uploadMatrix(test.gpu, 'f16', packed, IN);
  const layer = await LoraLinear.create(test.gpu, {
    inFeatures: IN,
    outFeatures: OUT,
    bias: true,
    kinds: ['f16'],
    maxTokens: 16,
    lora,
    gradientScale: GRADIENT_SCALE,
  });
  const data = {
    x,
    dy,
    bias,
    a,
    b,
    da,
    db,
    y: poison(tokens * OUT),
    dx: poison(tokens * IN),
    u: poison(16 * narrow),
    du: poison(16 * narrow),
  };
  const out = await test.run(data, (recorder, t) => {
    const weights = { base: [weight], adapter: { a: t.a, b: t.b, u: t.u, scale: SCALE } };
    layer.forward(recorder, { x: t.x, weight: weights, bias: t.bias, y: t.y }, tokens);
    const gradients = { dx: t.dx, dWeight: { a: t.da, b: t.db, du: t.du } };
    layer.backward(recorder, { x: t.x, weight: weights, dy: t.dy }, gradients, tokens);
  });

  const y = new Float64Array(tokens * OUT);
  const dx = new Float64Array(tokens * IN);
  const [wantedA, wantedB] = [Float64Array.from(da), Float64Array.from(db)];
  for (let t = 0; t < tokens; t++) {
    for (let f = 0; f < OUT; f++) {
      y[t * OUT + f] = bias[f]!;
      for (let k = 0; k < IN; k++) {
        y[t * OUT + f]! += x[t * IN + k]! * w[f * IN + k]!;
        dx[t * IN + k]! += dy[t * OUT + f]! * w[f * IN + k]!;
      }
    }
    let row = 0;
    blocks.forEach(({ first, rows }, j) => {
      for (let i = 0; i < rank; i++) {
        const at = (j * rank + i) * IN;
        let u = 0;
        let du = 0;
        for (let k = 0; k < IN; k++) u += x[t * IN + k]! * a[at + k]!;
        for (let f = 0; f < rows; f++) du += SCALE * dy[t * OUT + first + f]! * b[(row + f) * rank + i]!;
        for (let f = 0; f < rows; f++) {
          y[t * OUT + first + f]! += SCALE * u * b[(row + f) * rank + i]!;
          wantedB[(row + f) * rank + i]! += (SCALE * dy[t * OUT + first + f]! * u) / GRADIENT_SCALE;
        }
        for (let k = 0; k < IN; k++) {
          dx[t * IN + k]! += du * a[at + k]!;
          wantedA[at + k]! += (du * x[t * IN + k]!) / GRADIENT_SCALE;
        }
      }
      row += rows;
    });
  }
  expect(relativeError(out.y, y)).toBeLessThan(1e-5);
  expect(relativeError(out.dx, dx)).toBeLessThan(1e-5);
  expect(relativeError(out.da, wantedA)).toBeLessThan(1e-5);
  expect(relativeError(out.db, wantedB)).toBeLessThan(1e-5);
  test.gpu.free(...tensorsOf(weight));
});

it('without an adapter is the base alone', async () => {
  const packed = randomBlocks(test.random, 'f16', OUT, IN);
  const weight = uploadMatrix(test.gpu, 'f16', packed, IN);
  const shape = {
    inFeatures: IN,
    outFeatures: OUT,
    bias: false,
    kinds: ['f16'],
    maxTokens: 16,
    gradientScale: 1,
  } as const;
  const layer = await LoraLinear.create(test.gpu, { ...shape, lora: null });
  const x = test.floats(3 * IN);
  const out = await test.run({ x, y: poison(3 * OUT) }, (recorder, t) => {
    layer.forward(recorder, { x: t.x, weight: { base: [weight], adapter: null }, y: t.y }, 3);
    expect(recorder.dispatches).toBe(1);
  });
  const w = dequantise('f16', packed);
  const y = Float64Array.from({ length: 3 * OUT }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < IN; k++) sum += x[Math.floor(i / OUT) * IN + k]! * w[(i % OUT) * IN + k]!;
    return sum;
  });
  expect(relativeError(out.y, y)).toBeLessThan(1e-5);
  test.gpu.free(...tensorsOf(weight));
});
