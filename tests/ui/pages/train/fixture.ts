/**
 * @file A synthetic run with the shape of a real one, for tests and for looking at the page without a GPU. Problems and
 * traces come from the real task; which style is drawn, and whether it succeeds, follows made-up curves.
 */
import { defaultGrpoConfig } from '../../../../src/rl/config';
import type { Completion, Group, RunConfig, RunEvent } from '../../../../src/runs/events';
import { rng, type Rng } from '../../../../src/base/rng';
import { sum } from '../../../../src/tasks/sum';
import type { Problem, TraceStyle } from '../../../../src/tasks/task';
import { decode, encode } from '../../../../src/tasks/vocabulary';

export const fixtureConfig: RunConfig = {
  ...defaultGrpoConfig,
  model: 'tinythink-1m',
  task: 'sum',
  difficulty: 8,
  cold_start_steps: 0,
  cold_start_p_cot: 0.2,
  cold_start_dataset: null,
  lora_r: null,
  lora_alpha: 32,
  lora_target_modules: 'all-linear',
  quant: 'stored',
  eval_steps: 10,
  eval_problems: 256,
  save_steps: 40,
  log_probability_change: true,
};

interface StylePlan {
  style: TraceStyle;
  before: number;
  after: number;
  accuracy: number;
}
const PLAN: readonly StylePlan[] = [
  { style: 'bare', before: 0.2, after: 0, accuracy: 0.3 },
  { style: 'direct', before: 0.52, after: 0.02, accuracy: 0.5 },
  { style: 'partial', before: 0.1, after: 0.05, accuracy: 0.6 },
  { style: 'full', before: 0.13, after: 0.33, accuracy: 0.85 },
  { style: 'check', before: 0.05, after: 0.6, accuracy: 0.97 },
];

/** Events of a whole run: started, evaluations, steps, checkpoints, finished. */
export function* syntheticRun(change: Partial<RunConfig> = {}, steps = 160): Generator<RunEvent> {
  const config = { ...fixtureConfig, max_steps: steps, ...change };
  yield {
    type: 'started',
    schema: 1,
    run_id: 'fixture',
    time: '2026-01-01T00:00:00.000Z',
    config,
    model: {
      name: config.model,
      parameters: 860_000,
      architecture: 'llama, 4 layers of width 128',
      reads_language: false,
    },
    device: { kind: 'recording', description: 'synthetic' },
    seed: config.seed,
  };
  yield evaluation(config, 0, steps);
  for (let step = 1; step <= steps; step++) {
    const progress = learned(step, steps);
    const groups = Array.from({ length: config.num_prompts }, (_, i) =>
      group(rng(config.seed, step, i), config, progress),
    );
    yield { type: 'step', step, metrics: metrics(groups, config, step, progress), groups, timings: { total: 48 } };
    if (config.eval_steps && step % config.eval_steps === 0) yield evaluation(config, step, steps);
    if (step === 15) yield { type: 'changed', step, change: { learning_rate: 2e-4 } };
    if (config.save_steps && step % config.save_steps === 0) {
      yield { type: 'checkpoint', step, reference: `fixture@${step}` };
    }
  }
  yield { type: 'finished', step: steps, reason: 'max_steps' };
}

function learned(step: number, steps: number): number {
  return 1 / (1 + Math.exp(-(step / steps - 0.35) * 14));
}

function evaluation(config: RunConfig, step: number, steps: number): RunEvent {
  const progress = learned(step, steps);
  const noise = rng(config.seed, 99, step).next() * 0.03;
  return {
    type: 'eval',
    step,
    metrics: {
      eval_accuracy: 0.47 + 0.46 * progress + noise,
      eval_reward: 0.65 + 0.5 * progress,
      eval_mean_length: 18,
    },
  };
}

function group(random: Rng, config: RunConfig, progress: number): Group {
  const problem = sum.generate(random, config.difficulty);
  const completions = Array.from({ length: config.num_generations }, () =>
    completion(random, config, problem, progress),
  );
  const mean = completions.reduce((total, each) => total + each.reward, 0) / completions.length;
  const squares = completions.reduce((total, each) => total + (each.reward - mean) ** 2, 0);
  const std = Math.sqrt(squares / (completions.length - 1));
  for (const each of completions) {
    each.advantage = (each.reward - mean) / (std + 1e-4);
    each.logprobs_after = each.logprobs.map((before) =>
      Math.min(-1e-4, before + each.advantage * 0.12 * random.next() * Math.sqrt(-before)),
    );
  }
  return { prompt: problem.prompt, answer: problem.answer, mean, std, completions };
}

function completion(random: Rng, config: RunConfig, problem: Problem, progress: number): Completion {
  const plan = draw(random, progress);
  const wrong = random.next() > plan.accuracy;
  const answer = wrong ? String(Number(problem.answer) + random.pick([-10, -1, 1, 10])) : problem.answer;
  const text = `${sum.trace(random, { ...problem, answer }, plan.style)}<eos>`;
  const token_ids = encode(text).slice(0, config.max_completion_length);
  const truncated = token_ids.at(-1) !== 2;
  const formatted = !truncated && plan.style !== 'bare';
  const correct = formatted && !wrong;
  const rewards = { accuracy: correct ? 1 : 0, format: formatted ? 1 : 0, length: token_ids.length / 112 };
  const [accuracy, format, length] = config.reward_weights as [number, number, number];
  return {
    text: decode(token_ids),
    token_ids,
    tokens: token_ids.map((id) => decode([id])),
    logprobs: token_ids.map(() => Math.log(1 - 0.7 * random.next() ** 4)),
    rewards,
    reward: accuracy * rewards.accuracy + format * rewards.format + length * rewards.length,
    advantage: 0,
    truncated,
    style: plan.style === 'bare' ? 'unformatted' : plan.style,
  };
}

function draw(random: Rng, progress: number): StylePlan {
  let left = random.next();
  for (const plan of PLAN) {
    left -= plan.before + (plan.after - plan.before) * progress;
    if (left < 0) return plan;
  }
  return PLAN[0]!;
}

function metrics(groups: Group[], config: RunConfig, step: number, progress: number): Record<string, number> {
  const all = groups.flatMap((each) => each.completions);
  const mean = (values: number[]) => values.reduce((total, value) => total + value, 0) / values.length;
  const deviation = (values: number[]) => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));
  const random = rng(config.seed, 77, step);
  return {
    reward: mean(all.map((each) => each.reward)),
    reward_std: deviation(all.map((each) => each.reward)),
    frac_reward_zero_std: mean(groups.map((each) => (each.std === 0 ? 1 : 0))),
    'completions/mean_length': mean(all.map((each) => each.token_ids.length)),
    'completions/clipped_ratio': mean(all.map((each) => (each.truncated ? 1 : 0))),
    entropy: 0.42 - 0.25 * progress + 0.03 * random.next(),
    kl: 0.02 + 0.4 * progress + 0.03 * random.next(),
    'clip_ratio/region_mean': 0.01 * random.next(),
    grad_norm: 0.3 + 0.5 * random.next() ** 3,
    learning_rate: config.learning_rate * Math.min(1, step / Math.max(1, config.warmup_steps)),
    step_time: 0.048,
    loss: 0.02 * (random.next() - 0.5),
  };
}
