/**
 * @file How long is a step of GRPO with LoRA on a model of real size? Random weights of a well-known shape; all completions
 * run to their full length. Whole steps by the clock, sampling with the merging of the adapters before it, and the update:
 * scoring, gradients, AdamW. Rewards are random: what they are costs nothing here.
 */
import type { Gpu } from '../../src/gpu/gpu';
import { createAdapters } from '../../src/engine/training/adapters';
import { defaultRunConfig } from '../../src/runs/config';
import { loraModules } from '../../src/model/lora/lora-layout';
import { rng } from '../../src/base/rng';
import { randomModel, shapes } from './shapes';
import { spread } from '../statistics';

export interface LoraBenchOptions {
  shape: string;
  quant: string;
  group: number;
  max_new: number;
  prompt: number;
  steps: number;
}

export interface LoraBench extends LoraBenchOptions {
  gpu: string;
  /** Whole steps, milliseconds by the clock. */
  median_ms: number;
  min_ms: number;
  max_ms: number;
  /** Medians of its parts. */
  sampling: ReturnType<typeof spread>;
  /** Part of sampling: merging the adapters and computing the prompt, until every completion has its first token. */
  first_token: ReturnType<typeof spread>;
  update: ReturnType<typeof spread>;
  /** GPU milliseconds of one update by phase, or by kernel, and its dispatches. */
  gpu_ms: Record<string, number>;
  dispatches: Record<string, number>;
  tokens_per_second: number;
  /** That the adapters have learned something: the norm of the last gradient. */
  grad_norm: number;
}

/** The values of `--quant`: how the random weights are stored. */
const storedAs = { f16: 'F16', q8: 'Q8_0', q4: 'Q4_0' } as const;
const WARMUP = 3;

const settings = {
  learning_rate: 1e-4,
  adam_beta1: 0.9,
  adam_beta2: 0.999,
  adam_epsilon: 1e-8,
  weight_decay: 0,
  max_grad_norm: 1,
};
const loss = {
  epsilon: 0.2,
  epsilon_high: 0.2,
  delta: null,
  beta: 0,
  sapo_temperature_pos: 1,
  sapo_temperature_neg: 1,
};

/** @throws RangeError for a shape or quantisation that there is none of */
export async function benchLora(gpu: Gpu, options: LoraBenchOptions, profile?: 'phase' | 'kernel'): Promise<LoraBench> {
  const { shape, quant, group, max_new, prompt: promptLength, steps } = options;
  const config = shapes[shape];
  const type = storedAs[quant as keyof typeof storedAs];
  if (!config) throw new RangeError(`there is no shape ${shape}; there are ${Object.keys(shapes).join(', ')}`);
  if (!type) throw new RangeError(`weights are f16, q8 or q4, not ${quant}`);
  const tokens = promptLength + group * max_new;
  const plan = {
    learner: {
      maxTokens: tokens,
      maxPositions: promptLength + max_new,
      batchRows: group * max_new,
      batchSequences: group,
      reference: false,
    },
    bytes: {},
  };
  const sizes = {
    num_prompts: 1,
    num_generations: group,
    max_completion_length: max_new,
    longestPrompt: promptLength,
  };
  const run = { ...defaultRunConfig, ...sizes, quant: 'stored' as const, seed: 1 };
  const lora = { r: 16, lora_alpha: 32, target_modules: loraModules };
  const { learner, sampler } = await createAdapters(gpu, lora, {
    model: randomModel(shape, config, type),
    config: run,
    plan,
    sizes,
  });
  const times = { step: [] as number[], sampling: [] as number[], first: [] as number[], update: [] as number[] };
  const random = rng(1);
  let gradNorm = 0;
  let timings = { milliseconds: {} as Record<string, number>, dispatches: {} as Record<string, number> };
  for (let step = 1; step <= WARMUP + steps + 1; step++) {
    const start = performance.now();
    const prompt = Array.from({ length: promptLength }, () => random.int(0, config.vocab_size - 1));
    const sampling = { temperature: 1, top_k: 0, top_p: 1, max_new_tokens: max_new, seed: 1, stream: step };
    const completions = (await sampler.sample([prompt], group, sampling))[0]!.map(({ ids }) => ids);
    const sampled = performance.now();
    const batch = learner.load([{ prompt, completions }], (_, rows) => ({
      advantage: random.next() - 0.5,
      weight: 1 / (group * rows),
    }));
    // The last one is not counted: timestamps cost time.
    const last = step === WARMUP + steps + 1;
    const recorder = gpu.recorder(last ? { profile: profile ?? 'phase' } : {});
    learner.accumulate(recorder, batch, loss, { onPolicy: true, temperature: 1 });
    learner.update(recorder, step, settings);
    const read = Promise.all([recorder.read(learner.stats, group * 32), recorder.read(learner.optimizer.norm, 4)]);
    recorder.submit();
    gradNorm = new Float32Array((await read)[1])[0]!;
    sampler.weightsChanged();
    const end = performance.now();
    await sampler.sample([prompt], group, { ...sampling, max_new_tokens: 1 });
    const first = performance.now() - end;
    sampler.weightsChanged();
    if (last) timings = await recorder.timings();
    else if (step > WARMUP) {
      times.step.push(end - start);
      times.sampling.push(sampled - start);
      times.first.push(first);
      times.update.push(end - sampled);
    }
  }
  const step = spread(times.step);
  return {
    ...options,
    gpu: gpu.description,
    ...step,
    sampling: spread(times.sampling),
    first_token: spread(times.first),
    update: spread(times.update),
    gpu_ms: timings.milliseconds,
    dispatches: timings.dispatches,
    tokens_per_second: (1000 * group * max_new) / step.median_ms,
    grad_norm: gradNorm,
  };
}

export function formatLora(r: LoraBench): string {
  const of = ({ median_ms, min_ms, max_ms }: ReturnType<typeof spread>) =>
    `median ${median_ms.toFixed(1)} ms (${min_ms.toFixed(1)} to ${max_ms.toFixed(1)})`;
  const rows = Object.entries(r.gpu_ms).sort(([, a], [, b]) => b - a);
  return [
    `${r.gpu}: LoRA on ${r.shape} in ${r.quant}, ${r.group} completions × ${r.max_new} tokens after ${r.prompt}`,
    `step: ${of(r)}, ${r.tokens_per_second.toFixed(0)} tokens/s`,
    `  sampling: ${of(r.sampling)}`,
    `    until the first tokens: ${of(r.first_token)}`,
    `  update:   ${of(r.update)}`,
    `the update on the GPU, ms, and its dispatches (gradient norm ${r.grad_norm.toPrecision(3)}):`,
    ...rows.map(
      ([name, ms]) => `  ${name.padEnd(40)} ${ms.toFixed(3).padStart(9)} ${String(r.dispatches[name]).padStart(6)}`,
    ),
  ].join('\n');
}
