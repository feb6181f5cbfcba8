/**
 * @file How fast is ragged attention? GPU time of its forward and backward pass over a training batch of the tiny
 * model: 16 groups of 16 completions of 16 to 112 tokens behind prompts of 8 to 28, 4 heads of 32.
 */
import { type Gpu } from '../../src/gpu/gpu';
import {
  Attention,
  ATTENTION_SHAPES,
  attentionWorkgroupBytes,
  type AttentionOptions,
  type AttentionShape,
} from '../../src/nn/train/attention';
import { attentionTiles, packGroups, TILE_WORDS, type Segment } from '../../src/nn/train/ragged';
import { rng } from '../../src/base/rng';

export interface AttentionRow {
  tokens: number;
  shape: AttentionShape;
  /** Whether `Attention.create` would take this shape. */
  chosen: boolean;
  tiles: number;
  /** Medians of the repeats. */
  forwardMicroseconds: number;
  backwardMicroseconds: number;
}

export interface BenchAttentionOptions {
  groups?: number;
  completions?: number;
  heads?: number;
  kvHeads?: number;
  headDim?: number;
  repeats?: number;
  /** Measure every shape that fits instead of the chosen one alone. */
  sweep?: boolean;
}

/** @throws Error when the GPU has no timestamps. */
export async function benchAttention(gpu: Gpu, options: BenchAttentionOptions = {}): Promise<AttentionRow[]> {
  const { groups = 16, completions = 16, heads = 4, kvHeads = 4, headDim = 32, repeats = 20, sweep = false } = options;
  if (!gpu.features.timestamps) throw new Error('bench attention needs a GPU with timestamp-query');
  const segments = workload(groups, completions);
  const chosen = (await Attention.create(gpu, { heads, kvHeads, headDim })).shape;
  const limit = gpu.device.limits.maxComputeWorkgroupStorageSize;
  const shapes = sweep
    ? ATTENTION_SHAPES.filter((shape) => attentionWorkgroupBytes(headDim, shape) <= limit)
    : [chosen];
  const rows: AttentionRow[] = [];
  for (const shape of shapes) {
    const measured = await measure(gpu, { heads, kvHeads, headDim, shape }, segments, repeats);
    rows.push({ shape, chosen: shape === chosen, ...measured });
  }
  return rows;
}

function workload(groups: number, completions: number): Segment[] {
  const random = rng(1);
  const tokens = (low: number, high: number) => new Array<number>(random.int(low, high)).fill(0);
  return packGroups(
    Array.from({ length: groups }, () => ({
      prefix: tokens(8, 28),
      completions: Array.from({ length: completions }, () => tokens(16, 112)),
    })),
  ).segments;
}

async function measure(
  gpu: Gpu,
  options: AttentionOptions & { shape: AttentionShape },
  segments: readonly Segment[],
  repeats: number,
): Promise<Omit<AttentionRow, 'shape' | 'chosen'>> {
  const { heads, kvHeads, headDim, shape } = options;
  const attention = await Attention.create(gpu, options);
  const tokens = segments.at(-1)!.end;
  const words = attentionTiles(segments, shape.tile);
  const tileCount = words.length / TILE_WORDS;
  const floats = (label: string, columns: number) => gpu.alloc(label, 4 * tokens * columns);
  const inputs = {
    qkv: floats('qkv', (heads + 2 * kvHeads) * headDim),
    tiles: gpu.alloc('tiles', words.byteLength),
    tileCount,
  };
  const outputs = { out: floats('out', heads * headDim), lse: floats('lse', heads) };
  const gradients = {
    dOut: floats('dOut', heads * headDim),
    delta: floats('delta', heads),
    dQkv: floats('dQkv', (heads + 2 * kvHeads) * headDim),
  };
  gpu.write(inputs.tiles, words);
  const random = rng(2);
  for (const tensor of [inputs.qkv, gradients.dOut]) {
    gpu.write(
      tensor,
      Float32Array.from({ length: tensor.size / 4 }, () => random.next() - 0.5),
    );
  }
  const recorder = gpu.recorder({ profile: 'kernel' });
  const warmUp = 3;
  for (let i = 0; i < warmUp + repeats; i++) {
    recorder.phase(`forward ${i}`);
    attention.forward(recorder, inputs, outputs);
    recorder.phase(`backward ${i}`);
    attention.backward(recorder, inputs, outputs, gradients);
  }
  recorder.submit();
  const { milliseconds } = await recorder.timings();
  gpu.free(inputs.qkv, inputs.tiles, ...Object.values(outputs), ...Object.values(gradients));
  const median = (pass: string) => {
    const times = Array.from({ length: repeats }, (_, i) => {
      const keys = Object.keys(milliseconds).filter((key) => key.startsWith(`${pass} ${i + warmUp}/`));
      return keys.reduce((sum, key) => sum + milliseconds[key]!, 0);
    });
    return 1000 * times.sort((a, b) => a - b)[times.length >> 1]!;
  };
  return {
    tokens,
    tiles: tileCount,
    forwardMicroseconds: median('forward'),
    backwardMicroseconds: median('backward'),
  };
}

/** The rows as a table for the terminal. */
export function formatAttention(rows: readonly AttentionRow[]): string {
  const line = (cells: readonly string[]) => cells.map((cell, i) => cell.padStart([7, 12, 6, 11, 12][i]!)).join(' ');
  return [
    line(['tokens', 'tile×chunk', 'tiles', 'forward µs', 'backward µs']),
    ...rows.map(({ tokens, shape, chosen, tiles, forwardMicroseconds, backwardMicroseconds }) =>
      line([
        `${tokens}`,
        `${shape.tile}×${shape.chunk}${chosen ? '' : ' ·'}`,
        `${tiles}`,
        forwardMicroseconds.toFixed(1),
        backwardMicroseconds.toFixed(1),
      ]),
    ),
  ].join('\n');
}
