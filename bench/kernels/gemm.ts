/**
 * @file How fast is a linear layer of a large model over a piece of a prompt? GPU time of the products of one decoder
 * layer, weights packed, for the variant that `gemmVariant` chooses or, with `sweep`, for every one that could be.
 * All are recorded one after another without a pause: a GPU that idles lowers its clock, and short kernels then read
 * several times too slow.
 */
import type { Gpu } from '../../src/gpu/gpu';
import {
  Gemm,
  gemmVariant,
  gemmWorkgroupBytes,
  MATRIX_VARIANTS,
  TILE_VARIANTS,
  type GemmVariant,
} from '../../src/nn/infer/gemm';
import { packedRowBytes, type PackedMatrix, type WeightKind } from '../../src/nn/infer/packed';

export interface GemmRow {
  kind: WeightKind;
  tokens: number;
  inFeatures: number;
  outFeatures: number;
  variant: string;
  chosen: boolean;
  /** Median of the repeats. */
  microseconds: number;
  teraflops: number;
}

export interface BenchGemmOptions {
  tokens?: number;
  repeats?: number;
  kinds?: readonly WeightKind[];
  /** [inFeatures, outFeatures]; DeepSeek-R1-Distill-Qwen-1.5B's by default. */
  layers?: readonly (readonly [number, number])[];
  transposed?: boolean;
  sweep?: boolean;
  /** What a sweep tries; all of src/nn/infer/gemm.ts by default. */
  variants?: readonly GemmVariant[];
}

/** qkv, attention output, gate and up, down. */
const QWEN_LAYERS = [
  [1536, 2048],
  [1536, 1536],
  [1536, 17920],
  [8960, 1536],
] as const;

/** Work before the first measurement: more than a second of an H200, which takes about that long to raise its clock. */
const WARM_UP_FLOPS = 80e12;

/** @throws Error when the GPU has no timestamps. */
export async function benchGemm(
  gpu: Gpu,
  {
    tokens = 512,
    repeats = 15,
    kinds = ['f16', 'q4_0'],
    layers = QWEN_LAYERS,
    transposed = false,
    sweep = false,
    variants = [...MATRIX_VARIANTS, ...TILE_VARIANTS],
  }: BenchGemmOptions = {},
): Promise<GemmRow[]> {
  if (!gpu.features.timestamps) throw new Error('bench gemm needs a GPU with timestamp-query');
  const widest = Math.max(...layers.flat());
  const x = gpu.alloc('x', 4 * tokens * widest);
  const y = gpu.alloc('y', 4 * tokens * widest);
  gpu.write(
    x,
    Float32Array.from({ length: tokens * widest }, (_, i) => ((i * 7919) % 1021) / 1021 - 0.47),
  );
  const planned = kinds.flatMap((kind) =>
    layers.flatMap(([inFeatures, outFeatures]) => {
      const weight = randomMatrix(gpu, kind, outFeatures, inFeatures);
      const best = gemmVariant({ tokens, features: transposed ? inFeatures : outFeatures, transposed }, gpu);
      const tried = sweep ? new Set([best, ...variants.filter((v) => runs(gpu, v, transposed))]) : [best];
      return [...tried].map(async (variant) => ({
        row: { kind, tokens, inFeatures, outFeatures, variant: describe(variant), chosen: variant === best },
        gemm: await Gemm.create(gpu, { kind, inFeatures, outFeatures, maxTokens: tokens, transposed, variant }),
        weight,
      }));
    }),
  );
  const cases = await Promise.all(planned);

  const flops = ({ row }: (typeof cases)[number]) => 2 * row.tokens * row.inFeatures * row.outFeatures;
  // A software adapter has no clock to raise.
  const [first] = cases;
  const warmUps = gpu.isSoftware ? 1 : Math.ceil(WARM_UP_FLOPS / flops(first!));
  const warmUp = gpu.recorder();
  for (let i = 0; i < warmUps; i++) first!.gemm.record(warmUp, { x, weight: first!.weight, y }, tokens);
  warmUp.submit();
  const recorder = gpu.recorder({ profile: 'kernel' });
  cases.forEach(({ gemm, weight }, i) => {
    for (let repeat = 0; repeat < repeats + 1; repeat++) {
      recorder.phase(`${i}.${repeat}`);
      gemm.record(recorder, { x, weight, y }, tokens);
    }
  });
  recorder.submit();
  const { milliseconds } = await recorder.timings();
  const times = cases.map((): number[] => []);
  for (const [key, value] of Object.entries(milliseconds)) {
    const match = /^(\d+)\.(\d+)\//.exec(key);
    // The first repeat finds another case's weights in the cache.
    if (match && Number(match[2]) > 0) times[Number(match[1])]!.push(value);
  }
  gpu.free(x, y, ...new Set(cases.flatMap(({ weight }) => weight.parts.map(({ tensor }) => tensor))));
  return cases.map((c, i) => {
    const sorted = times[i]!.sort((a, b) => a - b);
    const microseconds = 1000 * sorted[sorted.length >> 1]!;
    return { ...c.row, microseconds, teraflops: flops(c) / microseconds / 1e6 };
  });
}

const describe = (v: GemmVariant): string =>
  `${v.kind} ${v.tokens}×${v.features}×${v.depth} (${v.spanTokens}×${v.spanFeatures})`;

function runs({ features, device }: Gpu, v: GemmVariant, transposed: boolean): boolean {
  if (v.kind === 'matrix' && !(features.f16 && features.subgroupMatrix)) return false;
  return gemmWorkgroupBytes(v, features.f16, transposed) <= device.limits.maxComputeWorkgroupStorageSize;
}

/** Bits that are small numbers in every kind: what a kernel does with them does not depend on their values. */
export function randomMatrix(gpu: Gpu, kind: WeightKind, rows: number, columns: number): PackedMatrix {
  const rowBytes = packedRowBytes(kind, columns);
  const tensor = gpu.alloc(`${kind} weights`, rows * rowBytes);
  const words = new Uint32Array((rows * rowBytes) / 4);
  // Exponents that mean about 1/50: of two f16, or of bf16 and the upper half of an f32.
  const exponents = kind === 'bf16' || kind === 'f32' ? 0x3c003c00 : 0x24002400;
  for (let i = 0; i < words.length; i++) words[i] = (Math.imul(i, 0x9e3779b1) & 0x80ff80ff) | exponents;
  gpu.write(tensor, words);
  return { kind, rows, columns, parts: [{ tensor, firstRow: 0, rows }] };
}

/** The rows as a table for the terminal, with the sum over a layer of what was chosen. */
export function formatGemm(rows: readonly GemmRow[]): string {
  const line = (cells: readonly string[]) => cells.map((cell, i) => cell.padStart([5, 7, 12, 42, 9, 9][i]!)).join(' ');
  const sums = [...new Set(rows.map(({ kind }) => kind))].map((kind) => {
    const chosen = rows.filter((r) => r.kind === kind && r.chosen);
    const microseconds = chosen.reduce((sum, r) => sum + r.microseconds, 0);
    return `${kind}: ${microseconds.toFixed(0)} µs a layer with what is chosen`;
  });
  return [
    line(['kind', 'tokens', 'in→out', 'variant', 'µs', 'TFLOP/s']),
    ...rows.map((r) =>
      line([
        r.kind,
        `${r.tokens}`,
        `${r.inFeatures}→${r.outFeatures}`,
        `${r.variant}${r.chosen ? '' : ' ·'}`,
        r.microseconds.toFixed(1),
        r.teraflops.toFixed(1),
      ]),
    ),
    ...sums,
  ].join('\n');
}
