/**
 * @file GRPO (Shao et al., arXiv 2402.03300) on this machine's GPU, a step at a time:
 *
 *   1. draw prompts, sample a group of completions for each, and keep every token's log-probability;
 *   2. reward each completion by rules, and compare it with its group: that is its advantage;
 *   3. make likelier the tokens of completions that did better than their group, less likely those that did worse.
 *
 * What samples and what learns is up to the two sessions: all weights of a small model (./grpo-session.ts), or adapters of
 * a model of any size (./lora-session.ts).
 */
import type { TextTokenizer } from '../formats/text/tokenizer';
import type { Gpu } from '../gpu/gpu';
import type { Recorder } from '../gpu/recorder';
import type { BatchLearner, LoadedBatch } from '../model/train/batch-learner';
import type { Sample, SamplingSettings } from '../model/decode/group-sampler';
import { parseStats, type PolicyLossOptions } from '../nn/train/policy-loss';
import { rng } from '../base/rng';
import type { Problem, Task } from '../tasks/task';
import { computeAdvantages, type Advantages } from './advantages';
import type { ColdStartOptions } from './cold-start';
import type { LiveConfig, RunConfig } from './config';
import { evaluate } from './evaluate';
import type { Group } from './group';
import { losses, sequenceWeights } from './losses';
import { batchMetrics } from './metrics';
import { taskOf, taskPrompt } from './prompt';
import { scoreCompletion, type CompletionScore } from './rewards';
import { learningRate } from './schedule';
import type { EngineSession, EvaluationResult, StepResult } from './session';
import { TokenTexts } from './token-texts';
import { updateMetrics } from './update-metrics';

/** Everything that a step sampled and decided, flat in group order. */
export interface Rollout {
  problems: Problem[];
  prompts: number[][];
  samples: Sample[];
  texts: string[];
  scores: CompletionScore[];
  advantages: Advantages;
}

export interface GrpoOptions extends Pick<ColdStartOptions, 'lessons' | 'onNotice' | 'onColdStart'> {
  /** Sees each batch before its update, for dumps. */
  onBatch?(step: number, learningRate: number, rollout: Rollout): void;
  /** Measure GPU time by phase or by kernel. */
  profile?: 'phase' | 'kernel';
}

/** Key of a random stream. */
const TRAINING_PROBLEMS = 1;
/** Streams of the sampler: training steps count from 1, evaluations share one far away. */
const EVALUATION_STREAM = 0x80000000;

export abstract class Grpo<M, G> implements EngineSession {
  readonly lost: Promise<string>;
  /** GPU milliseconds and dispatches of the last step, when profiled. */
  profile: { milliseconds: Record<string, number>; dispatches: Record<string, number> } | null = null;
  protected readonly task: Task;
  protected readonly texts: TokenTexts;
  /** Optimizer updates done, for Adam's bias correction. */
  protected updates = 0;
  protected tokens = 0;

  protected constructor(
    readonly gpu: Gpu,
    readonly config: RunConfig,
    protected readonly tokenizer: TextTokenizer,
    private readonly policy: BatchLearner<M, G>,
    protected readonly options: GrpoOptions,
  ) {
    this.lost = gpu.lost;
    this.task = taskOf(config, tokenizer);
    this.texts = new TokenTexts(tokenizer);
  }

  abstract checkpoint(): Promise<Uint8Array>;
  abstract restore(bytes: Uint8Array): Promise<void>;
  abstract exportTensors(): ReturnType<EngineSession['exportTensors']>;
  /** What comes before the first step, done once. */
  protected abstract prepare(): Promise<void>;
  /** Completions of each prompt under the policy as it is: [prompt][sample]. */
  protected abstract generate(
    prompts: number[][],
    samples: number,
    settings: SamplingSettings,
    recorder?: Recorder,
  ): Promise<Sample[][]>;
  /** Called when what learns has changed, so that the next samples come from it. */
  protected abstract policyChanged(): void;

  async step(step: number, live: LiveConfig): Promise<StepResult> {
    await this.prepare();
    const config = { ...this.config, ...live };
    const timings: Record<string, number> = {};
    const clock = stopwatch(timings);

    const rollout = await this.sample(step, config);
    clock('rollout');
    this.judge(rollout, config);
    const lr = learningRate(config, step - 1);
    this.options.onBatch?.(step, lr, rollout);
    clock('rewards');
    const { metrics, logprobsAfter } = await this.update(rollout, config, lr);
    this.policyChanged();
    clock('update');

    const measured = this.measure(rollout, config);
    const groups = this.describe(rollout, config, logprobsAfter);
    clock('events');
    timings.total = Object.values(timings).reduce((a, b) => a + b, 0);
    return {
      metrics: { ...measured, ...metrics, learning_rate: lr, step_time: timings.total / 1000 },
      groups,
      timings,
    };
  }

  /** @param samples completions of each problem; more than one gives pass@k too */
  async evaluate(_step = 0, samples = 1): Promise<EvaluationResult> {
    await this.prepare();
    return this.evaluateNow(samples);
  }

  evaluateBeforeColdStart(): Promise<EvaluationResult> {
    return this.evaluateNow(1);
  }

  private evaluateNow(samples: number): Promise<EvaluationResult> {
    const { config, tokenizer, task, texts } = this;
    const settings = { ...this.samplingSettings(config, EVALUATION_STREAM), top_k: 0, top_p: 1 };
    const generate = (prompts: number[][]) => this.generate(prompts, samples, settings);
    return evaluate({ task, config, tokenizer, texts, problems: config.eval_problems, generate });
  }

  destroy(): void {
    this.gpu.destroy();
  }

  private samplingSettings(config: RunConfig, stream: number): SamplingSettings {
    const { temperature, top_k, top_p, max_completion_length: max_new_tokens, seed } = config;
    return { temperature, top_k, top_p, max_new_tokens, seed, stream };
  }

  /** A group of completions for each of the step's prompts. */
  private async sample(step: number, config: RunConfig): Promise<Rollout> {
    const { tokenizer, task } = this;
    const random = rng(config.seed, TRAINING_PROBLEMS, step);
    const problems = Array.from({ length: config.num_prompts }, () => task.generate(random, config.difficulty));
    const prompts = problems.map((problem) => taskPrompt(tokenizer, task, problem));
    const recorder = this.gpu.recorder(this.options);
    const settings = this.samplingSettings(config, step);
    const groups = await this.generate(prompts, config.num_generations, settings, recorder);
    if (this.options.profile) this.profile = await recorder.timings();
    const samples = groups.flat();
    const texts = samples.map(({ ids, truncated }) => this.texts.whole(truncated ? ids : ids.slice(0, -1)));
    return {
      problems,
      prompts,
      samples,
      texts,
      scores: [],
      advantages: { advantages: [], groups: [], frac_reward_zero_std: 0 },
    };
  }

  /** Rewards each completion and compares it with its group. */
  private judge(rollout: Rollout, config: RunConfig): void {
    const { num_generations: size, max_completion_length } = config;
    rollout.scores = rollout.samples.map(({ ids, truncated }, i) => {
      const problem = rollout.problems[Math.floor(i / size)]!;
      const completion = { task: this.task, problem, text: rollout.texts[i]!, length: ids.length, truncated };
      return scoreCompletion({ ...completion, max_completion_length }, config);
    });
    const rewards = rollout.scores.map(({ reward }) => reward);
    rollout.advantages = computeAdvantages(rewards, size, config.scale_rewards);
  }

  /** The policy's update: num_iterations passes over the batch, micro-batch by micro-batch. */
  private async update(rollout: Rollout, config: RunConfig, lr: number) {
    const learner = this.policy;
    const { samples, prompts } = rollout;
    const size = config.num_generations;
    const { advantages } = rollout.advantages;
    const lengths = samples.map(({ ids }) => ids.length);
    const truncated = samples.map((sample) => sample.truncated);
    const weights = sequenceWeights(config, lengths, truncated);
    const groups = prompts.map((prompt, i) => ({
      prompt,
      completions: samples.slice(i * size, (i + 1) * size).map(({ ids }) => ids),
    }));
    const batch = learner.load(groups, (i) => ({ advantage: advantages[i]!, weight: weights[i]! }));
    const recorder = this.gpu.recorder(this.options);
    if (learner.reference) {
      recorder.phase('reference');
      learner.score(recorder, batch, learner.reference, learner.rows.refLogp, config.temperature);
    }
    const reads: Promise<[ArrayBuffer, ArrayBuffer]>[] = [];
    for (let iteration = 0; iteration < config.num_iterations; iteration++) {
      learner.accumulate(recorder, batch, config, iteration === 0, config.temperature);
      learner.update(recorder, ++this.updates, { ...config, learning_rate: lr });
      reads.push(
        Promise.all([recorder.read(learner.stats, samples.length * 32), recorder.read(learner.optimizer.norm, 4)]),
      );
    }
    const after = config.log_probability_change ? this.rescore(recorder, batch, config) : null;
    recorder.submit();
    const updates = reads.map(async (read) => {
      const [stats, norm] = await read;
      return {
        ...updateMetrics(config, parseStats(stats, samples.length), weights),
        grad_norm: new Float32Array(norm)[0]!,
      };
    });
    // Awaited together: when the GPU is lost each of them rejects, and none may do so unheard.
    const [measured, logprobsAfter] = await Promise.all([Promise.all(updates), after]);
    if (this.options.profile) this.profile = merge(this.profile, await recorder.timings());
    return { metrics: meanOf(measured), logprobsAfter };
  }

  /** Log-probabilities of the sampled tokens under the updated policy, by sequence. */
  private rescore(
    recorder: ReturnType<Gpu['recorder']>,
    loaded: LoadedBatch,
    config: RunConfig,
  ): Promise<Float32Array[]> {
    const learner = this.policy;
    recorder.phase('rescore');
    learner.score(recorder, loaded, learner.params, learner.rows.dLogp, config.temperature);
    const { rows, rowStart } = loaded.batch;
    return recorder.read(learner.rows.dLogp, rows * 4).then((data) => {
      const values = new Float32Array(data);
      return Array.from({ length: rowStart.length - 1 }, (_, i) => values.subarray(rowStart[i]!, rowStart[i + 1]!));
    });
  }

  private measure({ samples, scores, prompts, advantages }: Rollout, config: RunConfig): Record<string, number> {
    const promptTokens = config.num_generations * prompts.reduce((sum, prompt) => sum + prompt.length, 0);
    const completions = samples.map(({ ids, truncated }, i) => {
      const { rewards, reward } = scores[i]!;
      return { length: ids.length, truncated, rewards, reward };
    });
    const metrics = batchMetrics({ completions, advantages, promptTokens, previousTokens: this.tokens });
    this.tokens = metrics.num_tokens!;
    return metrics;
  }

  private describe(rollout: Rollout, config: RunConfig, after: Float32Array[] | null): Group[] {
    const { num_generations: size } = config;
    return rollout.problems.map((problem, g) => ({
      prompt: problem.prompt,
      answer: problem.answer,
      mean: rollout.advantages.groups[g]!.mean,
      std: rollout.advantages.groups[g]!.std,
      completions: Array.from({ length: size }, (_, j) => {
        const i = g * size + j;
        const { ids, logprobs, truncated } = rollout.samples[i]!;
        const { rewards, reward, parsed } = rollout.scores[i]!;
        return {
          text: rollout.texts[i]!,
          token_ids: ids,
          tokens: this.texts.each(ids),
          logprobs: logprobs.map(rounded),
          ...(after && { logprobs_after: Array.from(after[i]!, rounded) }),
          rewards,
          reward: reward ?? 0,
          advantage: rollout.advantages.advantages[i]!,
          truncated,
          style: parsed.style,
        };
      }),
    }));
  }
}

/** Enough digits to see any change by, and a fifth of the size of a recording with all of them. */
const rounded = (x: number): number => Math.round(x * 1e5) / 1e5;

function meanOf(records: readonly Record<string, number>[]): Record<string, number> {
  const names = Object.keys(records[0]!);
  return Object.fromEntries(
    names.map((name) => [name, records.reduce((sum, record) => sum + record[name]!, 0) / records.length]),
  );
}

/** Adds the milliseconds since the last call under a name. */
function stopwatch(timings: Record<string, number>): (name: string) => void {
  let last = performance.now();
  return (name) => {
    const now = performance.now();
    timings[name] = now - last;
    last = now;
  };
}

type Profile = NonNullable<Grpo<unknown, unknown>['profile']>;

function merge(a: Profile | null, b: Profile): Profile {
  const add = (x: Record<string, number> = {}, y: Record<string, number>) =>
    Object.fromEntries(
      [...new Set([...Object.keys(x), ...Object.keys(y)])].map((key) => [key, (x[key] ?? 0) + (y[key] ?? 0)]),
    );
  return { milliseconds: add(a?.milliseconds, b.milliseconds), dispatches: add(a?.dispatches, b.dispatches) };
}

/** The loss kernel that a config asks for. */
export function lossOptions(config: RunConfig): PolicyLossOptions {
  return {
    objective: losses[config.loss_type].objective,
    sequenceRatio: config.importance_sampling_level === 'sequence',
    klRatio: config.use_bias_correction_kl,
  };
}
