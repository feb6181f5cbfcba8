/**
 * @file Whether the matrix products that this GPU's features choose compute what the plain ones do: every variant of Gemm,
 * and Gemv for some tokens, against the kernels without workgroup memory, which the tests hold to float64 sums.
 */
import type { Gpu, Tensor } from '../../src/gpu/gpu';
import type { Recorder } from '../../src/gpu/recorder';
import { DIRECT_VARIANT, Gemm, gemmWorkgroupBytes, MATRIX_VARIANTS, TILE_VARIANTS } from '../../src/nn/infer/gemm';
import { Gemv } from '../../src/nn/infer/gemv';
import { weightFormats, weightKinds } from '../../src/nn/infer/packed';
import { randomMatrix } from '../kernels/gemm';

export interface VerifiedProduct {
  product: string;
  /** The kind of weights that differs most, and its largest difference relative to the largest value. */
  kind: string;
  difference: number;
}

/** Beyond a tile, and no multiple of one, in every direction. */
const TOKENS = 133;
const ROWS = 150;
/** Three and five are made as four and eight. */
const GEMV_TOKENS = [1, 2, 3, 4, 5, 8];

export async function verifyProducts(gpu: Gpu): Promise<VerifiedProduct[]> {
  const worst = new Map<string, VerifiedProduct>();
  const note = (product: string, kind: string, difference: number) => {
    if (difference >= (worst.get(product)?.difference ?? 0)) worst.set(product, { product, kind, difference });
  };
  const matrix = gpu.features.f16 && gpu.features.subgroupMatrix ? MATRIX_VARIANTS : [];
  const variants = [...matrix, ...TILE_VARIANTS].filter(
    (v) => gemmWorkgroupBytes(v, gpu.features.f16) <= gpu.device.limits.maxComputeWorkgroupStorageSize,
  );
  for (const kind of weightKinds) {
    const columns = weightFormats[kind].weights === 256 ? 768 : 544;
    const weight = randomMatrix(gpu, kind, ROWS, columns);
    const x = gpu.alloc('x', 4 * TOKENS * columns);
    const y = gpu.alloc('y', 4 * TOKENS * columns);
    gpu.write(
      x,
      Float32Array.from({ length: TOKENS * columns }, (_, i) => ((i * 7919) % 1021) / 1021 - 0.47),
    );
    for (const transposed of [false, true]) {
      const shape = { kind, inFeatures: columns, outFeatures: ROWS, maxTokens: TOKENS, transposed };
      const [plain, ...products] = await Promise.all(
        [DIRECT_VARIANT, ...variants].map((variant) => Gemm.create(gpu, { ...shape, variant })),
      );
      const values = (gemm: Gemm) => run(gpu, y, (recorder) => gemm.record(recorder, { x, weight, y }, TOKENS));
      const wanted = await values(plain!);
      for (const [i, { kind: how, tokens, features }] of variants.entries()) {
        const name = `gemm ${how} ${tokens}×${features}${transposed ? ', transposed' : ''}`;
        note(name, kind, largestDifference(await values(products[i]!), wanted));
      }
    }
    const shape = { kind, inFeatures: columns, outFeatures: ROWS, tokens: GEMV_TOKENS };
    const [gemv, plain] = await Promise.all([
      Gemv.create(gpu, shape),
      Gemv.create(gpu, { ...shape, variant: { lanes: 1, results: 2, groups: 32 } }),
    ]);
    for (const tokens of GEMV_TOKENS) {
      const values = (product: Gemv) => run(gpu, y, (recorder) => product.record(recorder, { x, weight, y }, tokens));
      note(`gemv of ${tokens}`, kind, largestDifference(await values(gemv), await values(plain)));
    }
    gpu.free(x, y, ...weight.parts.map(({ tensor }) => tensor));
  }
  return [...worst.values()];
}

async function run(gpu: Gpu, y: Tensor, record: (recorder: Recorder) => void): Promise<Float32Array> {
  const recorder = gpu.recorder();
  recorder.clear(y);
  record(recorder);
  const read = recorder.read(y);
  recorder.submit();
  return new Float32Array(await read);
}

/** Infinity where something isn't a number. */
export function largestDifference(found: Float32Array, wanted: Float32Array): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < wanted.length; i++) {
    const distance = Math.abs(found[i]! - wanted[i]!);
    difference = Math.max(difference, Number.isNaN(distance) ? Infinity : distance);
    largest = Math.max(largest, Math.abs(wanted[i]!));
  }
  return difference / largest;
}

export const formatProducts = (results: readonly VerifiedProduct[]): string =>
  results
    .map(({ product, kind, difference }) => `${product.padEnd(30)} ${difference.toExponential(1)} (${kind})`)
    .join('\n');
