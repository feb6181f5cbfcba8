/** @file Products of many tokens with packed weights, read either way round, against float64 sums on the CPU. */
import { describe, expect, it } from 'vitest';
import { linkShader } from '../../../src/gpu/kernel';
import {
  DIRECT_VARIANT,
  Gemm,
  gemmVariant,
  gemmWorkgroupBytes,
  matrixConditions,
  MATRIX_VARIANTS,
  TILE_VARIANTS,
  type GemmOptions,
  type GemmVariant,
} from '../../../src/nn/infer/gemm';
import { weightFormats, weightKinds, type WeightKind } from '../../../src/nn/infer/packed';
import { weightConditions, weightConstants } from '../../../src/nn/infer/packed-shader';
import { layerTest, poison } from '../harness';
import { dequantise, randomBlocks, tensorsOf, uploadMatrix } from './quant-reference';
import { relativeError } from '../reference';

const test = layerTest('gemm.test.ts');

interface Case {
  kind: WeightKind;
  tokens: number;
  outFeatures: number;
  inFeatures: number;
  /** Rows of each part. */
  parts?: number[];
  bias?: boolean;
  accumulate?: boolean;
  transposed?: boolean;
  variant?: GemmVariant;
}

/** y in float64, from the weights as the file's format defines them. */
function product(c: Case, w: Float32Array, x: Float32Array, bias: Float32Array, before: Float32Array): Float64Array {
  const { tokens, outFeatures: rows, inFeatures: columns, transposed } = c;
  const [depth, width] = transposed ? [rows, columns] : [columns, rows];
  const y = new Float64Array(tokens * width);
  for (let t = 0; t < tokens; t++) {
    for (let f = 0; f < width; f++) {
      let sum = (c.bias ? bias[f]! : 0) + (c.accumulate ? before[t * width + f]! : 0);
      for (let k = 0; k < depth; k++) sum += x[t * depth + k]! * w[transposed ? k * columns + f : f * columns + k]!;
      y[t * width + f] = sum;
    }
  }
  return y;
}

async function check(c: Case, tolerance: number) {
  const { kind, tokens, outFeatures, inFeatures, transposed = false } = c;
  const [depth, width] = transposed ? [outFeatures, inFeatures] : [inFeatures, outFeatures];
  const blocks = randomBlocks(test.random, kind, outFeatures, inFeatures);
  const weight = uploadMatrix(test.gpu, kind, blocks, inFeatures, c.parts);
  const options: GemmOptions = {
    kind,
    inFeatures,
    outFeatures,
    bias: c.bias ?? false,
    maxTokens: tokens + 3,
    transposed,
  };
  const gemm = await Gemm.create(test.gpu, c.variant ? { ...options, variant: c.variant } : options);
  // Rows behind the tokens are poison: reading them would show in the sums, writing them in what is left there.
  const behind = poison(3 * Math.max(depth, width));
  const x = Float32Array.from([...test.floats(tokens * depth), ...behind.subarray(0, 3 * depth)]);
  const bias = test.floats(outFeatures);
  const before = c.accumulate ? test.floats(tokens * width) : poison(tokens * width);
  const y = Float32Array.from([...before, ...behind.subarray(0, 3 * width)]);

  const out = await test.run({ x, y, bias }, (recorder, t) => {
    gemm.record(
      recorder,
      { x: t.x, weight, y: t.y, bias: c.bias ? t.bias : null, accumulate: c.accumulate ?? false },
      tokens,
    );
    expect(recorder.dispatches).toBe(c.parts?.length ?? 1);
  });
  const expected = product(c, dequantise(kind, blocks), x, bias, before);
  expect(relativeError(out.y.subarray(0, tokens * width), expected)).toBeLessThan(tolerance);
  expect(out.y.subarray(tokens * width).every((v) => Number.isNaN(v))).toBe(true);
  test.gpu.free(...tensorsOf(weight));
}

/** Not a multiple of any slab, where the kind's blocks allow it. */
const columnsOf = (kind: WeightKind) => ({ 1: 36, 32: 96, 256: 256 })[weightFormats[kind].weights]!;

describe.each(weightKinds)('%s', (kind) => {
  const shape = { kind, tokens: 11, outFeatures: 37, inFeatures: columnsOf(kind) };

  it('x·Wᵀ + bias, in parts that begin anywhere', () => check({ ...shape, parts: [13, 24], bias: true }, 1e-5));

  // Compiling takes seconds here, and how a kind is read does not depend on what is done with it.
  if (['f32', 'q4_0', 'q6_k'].includes(kind)) {
    it('x·W, added to what is there', () =>
      check({ ...shape, parts: [13, 24], transposed: true, accumulate: true }, 1e-5));
  }
});

/** f16 where the GPU has it: 11 bits of each factor, and sums of a slab in f16. */
const tileTolerance = () => (test.gpu.features.f16 ? 2e-3 : 1e-5);

// Few and small, since emulated GPUs take long to compile them: threads with 8 × 8 values, and with 8 × 4.
describe('tiles', () => {
  const wide: GemmVariant = { kind: 'tile', tokens: 64, features: 64, depth: 16, spanTokens: 8, spanFeatures: 8 };
  const narrow = TILE_VARIANTS.at(-1)!;

  it('64×64 of q4_0, added to what is there', () => {
    const shape = { variant: wide, tokens: 69, outFeatures: 73, inFeatures: 96, parts: [57, 16] };
    return check({ ...shape, kind: 'q4_0', accumulate: true }, tileTolerance());
  });

  it('32×32 of f16, transposed, a depth that fills no slab', () => {
    const shape = { variant: narrow, tokens: 37, outFeatures: 41, inFeatures: 36, parts: [25, 16] };
    return check({ ...shape, kind: 'f16', transposed: true }, tileTolerance());
  });

  it('32×32 of f16 with bias, a depth that fills no slab', () => {
    const shape = { variant: narrow, tokens: 37, outFeatures: 41, inFeatures: 36 };
    return check({ ...shape, kind: 'f16', bias: true }, tileTolerance());
  });
});

describe('matrix units', () => {
  for (const variant of MATRIX_VARIANTS) {
    const { tokens, features, depth } = variant;
    const shape = { variant, tokens: tokens + 5, outFeatures: features + 9, parts: [features - 7, 16] };

    it(`${tokens}×${features}×${depth}, either way`, async (context) => {
      if (!test.gpu.features.subgroupMatrix) return context.skip('this adapter has none');
      await check({ ...shape, kind: 'q4_0', inFeatures: 96, accumulate: true }, 1e-3);
      await check({ ...shape, kind: 'f16', inFeatures: 36, bias: true }, 1e-3);
      await check({ ...shape, kind: 'f16', inFeatures: 36, transposed: true }, 1e-3);
    });
  }

  it('link without the stand-ins that WESL needs', async () => {
    const code = await linkShader('infer/product/gemm_matrix', {
      constants: {
        ...weightConstants('q4_0', 64),
        ...{
          COLUMNS: 64,
          X_STRIDE: 64,
          Y_STRIDE: 32,
          THREADS: 128,
          TILE_TOKENS: 64,
          TILE_FEATURES: 64,
          TILE_DEPTH: 32,
        },
      },
      conditions: {
        ...weightConditions('q4_0'),
        ...matrixConditions(MATRIX_VARIANTS[0]!),
        ...{ TRANSPOSED: false, BIAS: false, EXACT: true },
      },
    });
    expect(code).toContain('enable chromium_experimental_subgroup_matrix;');
    expect(code).toContain('subgroupMatrixStore<row_major>(');
    expect(code).not.toMatch(/stand_in|fn subgroupMatrix|const row_major|const col_major/);
  });
});

describe('the choice', () => {
  const device = { limits: { maxComputeWorkgroupStorageSize: 16384 } };
  const real = { isSoftware: false, device, features: { f16: true, subgroupMatrix: false } };
  const large = { tokens: 512, features: 17920 };

  it('reads directly on emulated GPUs', () => {
    expect(gemmVariant(large, { ...real, isSoftware: true })).toBe(DIRECT_VARIANT);
  });

  it('uses matrix units only where they are, and f16 with them', () => {
    const matrix = { ...real, features: { f16: true, subgroupMatrix: true } };
    expect(gemmVariant(large, real).kind).toBe('tile');
    expect(gemmVariant(large, matrix).kind).toBe('matrix');
    expect(gemmVariant(large, { ...matrix, features: { f16: false, subgroupMatrix: true } }).kind).toBe('tile');
  });

  it('stays within the memory of a workgroup', () => {
    for (const subgroupMatrix of [false, true]) {
      for (const transposed of [false, true]) {
        for (let tokens = 1; tokens <= 1024; tokens *= 2) {
          const v = gemmVariant(
            { tokens, features: 17920, transposed },
            { ...real, features: { f16: true, subgroupMatrix } },
          );
          expect(gemmWorkgroupBytes(v, true, transposed)).toBeLessThanOrEqual(16384);
        }
      }
    }
  });
});

it('refuses other matrices, too many tokens and a missing bias', async () => {
  const options = { kind: 'f32', inFeatures: 8, outFeatures: 4, bias: true, maxTokens: 2 } as const;
  const gemm = await Gemm.create(test.gpu, options);
  const weight = uploadMatrix(test.gpu, 'f32', new Uint8Array(128), 8);
  const other = uploadMatrix(test.gpu, 'f32', new Uint8Array(64), 8);
  const [t] = tensorsOf(weight);
  const call = { x: t!, y: t!, bias: t!, weight };
  const recorder = test.gpu.recorder();
  expect(() => gemm.record(recorder, call, 3)).toThrow('made for 2 tokens');
  expect(() => gemm.record(recorder, { ...call, weight: other }, 2)).toThrow('was given f32 [2, 8]');
  expect(() => gemm.record(recorder, { ...call, bias: null }, 2)).toThrow('needs its bias');
  await expect(Gemm.create(test.gpu, { ...options, transposed: true })).rejects.toThrow('takes no bias');
  await expect(Gemm.create(test.gpu, { ...options, inFeatures: 6 })).rejects.toThrow('four at a time');
});
