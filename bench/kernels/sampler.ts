/**
 * @file What does drawing a token cost? GPU time of each pass of the sampler over one row of a large vocabulary, for
 * distributions from one that knows what comes next to one that knows nothing, and for the usual settings.
 */
import type { Gpu } from '../../src/gpu/gpu';
import { resultWords, Sampler, type SamplerSettings } from '../../src/nn/infer/sampler';
import { rng } from '../../src/base/rng';
import { median } from '../statistics';

const PASSES = ['blocks', 'bins', 'gather', 'draw'] as const;

export interface SamplerBenchRow {
  logits: string;
  settings: string;
  /** Medians; 0 for a pass that isn't needed. */
  microseconds: Record<(typeof PASSES)[number], number>;
  total: number;
}

export interface BenchSamplerOptions {
  vocab: number;
  repeats?: number;
}

const LOGITS: Record<string, (normal: () => number, token: number) => number> = {
  // A few tokens have nearly all of the probability.
  peaked: (normal, token) => normal() + (token % 30011 === 0 ? 15 : 0),
  'normal, σ = 3': (normal) => 3 * normal(),
  'normal, σ = 1': (normal) => normal(),
  // Thousands in the bins in which the limit lies: more than are compared with each other, fewer than are listed.
  'normal, σ = 0.01': (normal) => 0.01 * normal(),
  // More than are listed.
  'normal, σ = 0.0001': (normal) => 3 + 0.0001 * normal(),
  '5,000 equal': (_, token) => (token % 30 === 0 && token < 150000 ? 3 : -9),
  'all equal': () => 2.5,
};

const SETTINGS: Record<string, Partial<SamplerSettings> & { top?: number }> = {
  greedy: { temperature: 0 },
  'temperature 0.6': { temperature: 0.6 },
  'top-p 0.95': { temperature: 0.6, top_p: 0.95 },
  'top-k 50': { top_k: 50 },
  'top-k 50, top-p 0.95': { temperature: 0.6, top_k: 50, top_p: 0.95 },
  'min-p 0.05': { min_p: 0.05 },
  'top-p 0.95, 5 likeliest': { temperature: 0.6, top_p: 0.95, top: 5 },
};

const WARM_UP_MS = 120;

/** @throws Error when the GPU has no timestamps. */
export async function benchSampler(gpu: Gpu, { vocab, repeats = 40 }: BenchSamplerOptions): Promise<SamplerBenchRow[]> {
  if (!gpu.features.timestamps) throw new Error('bench sampler needs a GPU with timestamp-query');
  const rows: SamplerBenchRow[] = [];
  const t = {
    logits: gpu.alloc('logits', 4 * vocab),
    tokens: gpu.alloc('tokens', 4),
    results: gpu.alloc('results', 4 * resultWords(8)),
  };
  for (const [logits, make] of Object.entries(LOGITS)) {
    const random = rng(1);
    const normal = () => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
    gpu.write(
      t.logits,
      Float32Array.from({ length: vocab }, (_, token) => make(normal, token)),
    );
    for (const [name, { top = 0, ...change }] of Object.entries(SETTINGS)) {
      const sampler = await Sampler.create(gpu, { vocab, maxRows: 1, stops: [], top });
      sampler.start(0);
      const settings = { temperature: 1, top_k: 0, top_p: 1, seed: 1, stream: 1, ...change };
      const microseconds = await time(gpu, sampler, t, settings, repeats);
      const total = PASSES.reduce((sum, pass) => sum + microseconds[pass], 0);
      rows.push({ logits, settings: name, microseconds, total });
      sampler.free();
    }
  }
  gpu.free(...Object.values(t));
  return rows;
}

async function time(
  gpu: Gpu,
  sampler: Sampler,
  tensors: Parameters<Sampler['record']>[1],
  settings: SamplerSettings,
  repeats: number,
): Promise<SamplerBenchRow['microseconds']> {
  // A GPU that has idled is slow for a while.
  for (const start = performance.now(); performance.now() - start < WARM_UP_MS;) {
    const recorder = gpu.recorder();
    for (let i = 0; i < repeats; i++) sampler.record(recorder, tensors, settings, { rows: 1 });
    recorder.submit();
    await gpu.device.queue.onSubmittedWorkDone();
  }
  const recorder = gpu.recorder({ profile: 'kernel' });
  for (let i = 0; i < repeats; i++) {
    recorder.phase(`${i}`);
    sampler.record(recorder, tensors, settings, { rows: 1 });
  }
  recorder.submit();
  const { milliseconds } = await recorder.timings();
  const of = (pass: string) =>
    1000 * median(Array.from({ length: repeats }, (_, i) => milliseconds[`${i}/sample_${pass}`] ?? 0));
  return { blocks: of('blocks'), bins: of('bins'), gather: of('gather'), draw: of('draw') };
}

/** The rows as a table for the terminal, in microseconds. */
export function formatSampler(rows: readonly SamplerBenchRow[]): string {
  const line = ([logits, settings, ...cells]: readonly string[]) =>
    [logits!.padEnd(19), settings!.padEnd(24), ...cells.map((cell) => cell.padStart(8))].join(' ');
  return [
    line(['logits', 'settings', ...PASSES, 'all µs']),
    ...rows.map(({ logits, settings, microseconds, total }) =>
      line([logits, settings, ...[...PASSES.map((pass) => microseconds[pass]), total].map((us) => us.toFixed(1))]),
    ),
  ].join('\n');
}
