/** @file Products of a few tokens with packed matrices, on every path, against float64. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../../src/gpu/gpu';
import { Gemv, gemvVariant, gemvWorkgroupBytes, type GemvShape, type GemvVariant } from '../../../src/nn/infer/gemv';
import { weightFormats, weightKinds } from '../../../src/nn/infer/packed';
import { openTestGpu } from '../../support/gpu';
import { quickly } from '../../support/quick';
import { layerTest, poison } from '../harness';
import { dequantise, randomBlocks, tensorsOf, uploadMatrix } from './quant-reference';
import { relativeError, rmsNorm } from '../reference';

const test = layerTest('gemv.test.ts');
/** The same adapter as one without subgroups. */
let plain!: Gpu;
beforeAll(async () => {
  plain = await openTestGpu({ without: ['subgroups', 'f16'] });
});
afterAll(() => plain.destroy());

type Case = GemvShape & {
  tokens: number;
  variant?: GemvVariant;
  parts?: number[];
  firstToken?: number;
};

function reference(
  c: Case,
  { x, weight, norm, bias, y }: Record<'x' | 'weight' | 'norm' | 'bias' | 'y', Float32Array>,
): Float64Array {
  const { inFeatures, outFeatures, tokens } = c;
  const lines = c.norm ? rmsNorm(x, norm, c.norm.epsilon).y : x;
  const first = (c.firstToken ?? 0) * inFeatures;
  const product = (t: number, row: number) => {
    let sum = c.bias ? bias[row]! : 0;
    for (let k = 0; k < inFeatures; k++) sum += lines[first + t * inFeatures + k]! * weight[row * inFeatures + k]!;
    return sum;
  };
  return Float64Array.from({ length: tokens * outFeatures }, (_, i) => {
    const t = Math.floor(i / outFeatures);
    const row = i % outFeatures;
    const sum = product(t, row);
    if (c.activation) return (sum / (1 + Math.exp(-sum))) * product(t, outFeatures + row);
    return sum + (c.accumulate ? y[i]! : 0);
  });
}

async function check(gpu: Gpu, c: Case): Promise<void> {
  const { kind, inFeatures, outFeatures, tokens } = c;
  const rows = outFeatures * (c.activation ? 2 : 1);
  const file = randomBlocks(test.random, kind, rows, inFeatures);
  const lines = tokens + (c.firstToken ?? 0);
  const data = {
    x: test.floats(lines * inFeatures),
    norm: test.floats(inFeatures),
    bias: test.floats(rows),
    y: c.accumulate ? test.floats(tokens * outFeatures) : poison(tokens * outFeatures),
  };
  const gemv = await Gemv.create(gpu, { ...c, tokens: [tokens] });
  const weight = uploadMatrix(gpu, kind, file, inFeatures, c.parts);
  const out = await test.run(
    data,
    (recorder, { x, y, norm, bias }) => gemv.record(recorder, { x, y, norm, bias, weight }, tokens, c.firstToken),
    gpu,
  );
  gpu.free(...tensorsOf(weight));
  expect(relativeError(out.y, reference(c, { ...data, weight: dequantise(kind, file) }))).toBeLessThan(1e-5);
}

/** Few lanes, for workgroups of many parts; and as on emulated GPUs. */
const shared: GemvVariant = { lanes: 8, results: 1, groups: 2 };
const alone: GemvVariant = { lanes: 1, results: 2, groups: 32 };

describe.each(weightKinds)('%s', (kind) => {
  const inFeatures = 3 * Math.max(8, weightFormats[kind].weights);

  it('multiplies one token', () => check(test.gpu, { kind, inFeatures, outFeatures: 37, tokens: 1 }));

  // Three are made like four, and five like eight; that they are is no matter of the kind.
  const counts = kind === 'q4_0' ? quickly(2, [2, 8, 3, 4, 5]) : quickly(1, [2, 3, 8]);
  it.each(counts)('multiplies %i tokens after their norm', async (tokens) => {
    const c = { kind, inFeatures, outFeatures: 5, tokens, norm: { epsilon: 1e-5 }, bias: true };
    await check(test.gpu, { ...c, variant: shared });
    // All of it is spelled out there, and takes long to compile.
    if (tokens === 2) await check(test.gpu, { ...c, variant: alone });
  });
});

const dense: Case = { kind: 'f32', inFeatures: 20, outFeatures: 11, tokens: 1 };
const blocks: Case = { kind: 'q4_0', inFeatures: 64, outFeatures: 11, tokens: 2 };
const k: Case = { kind: 'q4_k', inFeatures: 256, outFeatures: 9, tokens: 1 };
const cases: Case[] = [
  { ...dense, kind: 'f16' },
  { ...dense, kind: 'bf16', tokens: 2, norm: { epsilon: 1e-6 } },
  { ...dense, tokens: 8 },
  { ...blocks, tokens: 8, norm: { epsilon: 1e-5 } },
  { ...dense, firstToken: 3 },
  { ...dense, accumulate: true, bias: true },
  { ...blocks, accumulate: true, parts: [5, 2, 4], bias: true },
  { ...k, activation: 'swiglu', norm: { epsilon: 1e-5 } },
  { ...blocks, activation: 'swiglu', bias: true },
  { ...dense, tokens: 4, activation: 'swiglu', norm: { epsilon: 1e-5 } },
  { ...blocks, tokens: 3, firstToken: 2, accumulate: true },
];

describe.each(quickly(6, cases))('%o', (c) => {
  it.each([null, { lanes: 4, results: 2, groups: 4 }])('shared out as %o', (variant) =>
    check(test.gpu, variant ? { ...c, variant } : c),
  );

  it('without subgroups', () => check(plain, { ...c, variant: { lanes: 16, results: 2, groups: 2 } }));
});

it.each([1, 4, 8])('shares a row among more lanes than shuffles reach: %i tokens', (tokens) =>
  check(test.gpu, { ...dense, kind: 'f16', inFeatures: 1032, tokens, variant: { lanes: 64, results: 3, groups: 2 } }),
);

it.each([
  { bytes: 16384, subgroups: false },
  { bytes: 49152, subgroups: true },
])('never takes more workgroup memory than there is: %o', ({ bytes, subgroups }) => {
  const limits = { maxComputeWorkgroupStorageSize: bytes };
  const adapter = {
    isSoftware: false,
    features: { subgroups },
    device: { limits, adapterInfo: { subgroupMinSize: 32 } },
  };
  for (const kind of weightKinds) {
    for (const activation of [{}, { activation: 'swiglu' as const }]) {
      for (const [inFeatures, outFeatures] of [[576, 960] as const, [8192, 1536] as const, [1536, 100_000] as const]) {
        const shape: GemvShape = { kind, inFeatures, outFeatures, norm: { epsilon: 1e-6 }, ...activation };
        for (let tokens = 1; tokens <= 8; tokens++) {
          const variant = gemvVariant(shape, tokens, adapter);
          const taken = gemvWorkgroupBytes(shape, tokens, variant, adapter);
          expect(taken, `${kind}, ${tokens} tokens, ${inFeatures} → ${outFeatures}`).toBeLessThanOrEqual(bytes);
        }
      }
    }
  }
});

it('refuses what it was not made for', async () => {
  const gemv = await Gemv.create(test.gpu, { ...blocks, activation: 'swiglu', tokens: [1] });
  const weight = uploadMatrix(test.gpu, 'q4_0', randomBlocks(test.random, 'q4_0', 22, 64), 64, [11, 11]);
  const x = test.gpu.alloc('x', 256);
  expect(() => gemv.record(test.gpu.recorder(), { x, y: x, weight }, 2)).toThrow('2 tokens');
  expect(() => gemv.record(test.gpu.recorder(), { x, y: x, weight }, 1)).toThrow('one buffer');
  await expect(Gemv.create(test.gpu, { ...blocks, tokens: [9] })).rejects.toThrow('9');
});
