/**
 * @file How long is a GRPO step? Whole steps by the clock, and where the GPU's time goes, at the shape that TRL was
 * measured at: 16 prompts × 16 completions × at most 112 new tokens.
 */
import type { Gpu } from '../../src/gpu/gpu';
import type { Model } from '../../src/formats/model';
import type { RunConfig } from '../../src/rl/config';
import { openTraining, planTraining } from '../../src/engine/open';
import { median } from '../statistics';

export interface GrpoBench {
  gpu: string;
  shape: string;
  /** Milliseconds of a whole step by the clock: sampling, rewards, update and events, readbacks included. */
  step_ms: { median: number; min: number; max: number };
  /** Medians by phase, by the clock. */
  phases_ms: Record<string, number>;
  /** GPU milliseconds by phase, means over the same steps run again with timestamps; dispatches of the last of them. */
  gpu_ms: Record<string, number>;
  dispatches: Record<string, number>;
  dispatches_total: number;
  /** Over the measured steps. */
  mean_length: number;
  tokens_per_second: number;
  /** The plan, by what it is for. */
  bytes: Record<string, number>;
}

export async function benchGrpo(
  gpu: Gpu,
  config: RunConfig,
  model: Model,
  { warmup = 5, steps = 30 }: { warmup?: number; steps?: number } = {},
): Promise<GrpoBench> {
  const session = await openTraining(gpu, model, config);
  const totals: number[] = [];
  const phases: Record<string, number[]> = {};
  let lengths = 0;
  for (let step = 1; step <= warmup + steps; step++) {
    const start = performance.now();
    const { timings, metrics } = await session.step(step, {});
    if (step <= warmup) continue;
    totals.push(performance.now() - start);
    for (const [phase, ms] of Object.entries(timings)) (phases[phase] ??= []).push(ms);
    lengths += metrics['completions/mean_length']!;
  }
  const profiled = (await openTraining(gpu, model, config, { profile: 'phase' })).grpo;
  const milliseconds: Record<string, number> = {};
  for (let step = 1; step <= warmup + steps; step++) {
    await profiled.step(step, {});
    if (step <= warmup) continue;
    for (const [phase, ms] of Object.entries(profiled.profile!.milliseconds)) {
      milliseconds[phase] = (milliseconds[phase] ?? 0) + ms / steps;
    }
  }
  const { dispatches } = profiled.profile!;
  const step_ms = { median: median(totals), min: Math.min(...totals), max: Math.max(...totals) };
  const mean_length = lengths / steps;
  const sequences = config.num_prompts * config.num_generations;
  return {
    gpu: gpu.description,
    shape: `${config.num_prompts} prompts × ${config.num_generations} completions × ≤ ${config.max_completion_length} tokens`,
    step_ms,
    phases_ms: Object.fromEntries(Object.entries(phases).map(([phase, values]) => [phase, median(values)])),
    gpu_ms: milliseconds,
    dispatches,
    dispatches_total: Object.values(dispatches).reduce((a, b) => a + b, 0),
    mean_length,
    tokens_per_second: (1000 * mean_length * sequences) / step_ms.median,
    bytes: (await planTraining(gpu, model, config)).bytes,
  };
}

export function formatGrpo(result: GrpoBench): string {
  const table = (values: Record<string, number>, digits: number) =>
    Object.entries(values).map(([name, value]) => `  ${name.padEnd(24)} ${value.toFixed(digits).padStart(10)}`);
  const megabytes = Object.fromEntries(Object.entries(result.bytes).map(([name, bytes]) => [name, bytes / 1e6]));
  const { median: middle, min, max } = result.step_ms;
  return [
    `${result.gpu}, ${result.shape}, mean length ${result.mean_length.toFixed(1)}`,
    `step: median ${middle.toFixed(1)} ms (${min.toFixed(1)} to ${max.toFixed(1)}), ${result.tokens_per_second.toFixed(0)} sampled tokens/s`,
    'by the clock, ms:',
    ...table(result.phases_ms, 2),
    'on the GPU, ms:',
    ...table(result.gpu_ms, 3),
    `dispatches: ${result.dispatches_total}`,
    ...table(result.dispatches, 0),
    'memory, MB:',
    ...table(megabytes, 1),
  ].join('\n');
}
