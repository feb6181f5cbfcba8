/**
 * @file GRPO (Shao et al., arXiv 2402.03300), one step at a time:
 *
 *   1. draw prompts, sample a group of completions for each, and keep every token's log-probability;
 *   2. reward each completion by rules, and compare it with its group: that is its advantage;
 *   3. make the tokens of completions that did better than their group more likely, and the others less likely.
 *
 * What samples and what learns is handed in: all weights of a small model, or low-rank adapters of a model of any size
 * (src/engine/training).
 */
import type { TextTokenizer } from '../../formats/text/tokenizer';
import type { Gpu } from '../../gpu/gpu';
import type { Recorder } from '../../gpu/recorder';
import type { LoadedBatch, PolicyLearner } from '../../model/train/batch-learner';
import { parseStats, type PolicyLossOptions } from '../../nn/train/policy-loss';
import { trainingProblems } from '../../tasks/problems';
import type { Task } from '../../tasks/task';
import { decodeCheckpoint, encodeCheckpoint } from '../checkpoint';
import type { CompletionSampler, SamplingSettings } from '../completion-sampler';
import type { LiveConfig, RunConfig } from '../config';
import { evaluate } from '../evaluate';
import type { LearnedParameters } from '../learned-parameters';
import { losses, sequenceWeights } from './losses';
import { taskFor, taskPrompt } from '../prompt';
import { describeGroups, rewardBatch, rolloutMetrics, type Rollout, type SampledBatch } from './rollout';
import { learningRate } from '../schedule';
import { runSft, type SftOptions } from '../sft/sft';
import type { EvaluationResult, StepResult } from '../step-result';
import { TokenTexts } from '../token-texts';
import { updateMetrics } from './update-metrics';

export interface GrpoOptions extends SftOptions {
  /** Called with each batch before its update, for dumps. */
  onBatch?(step: number, learningRate: number, rollout: Rollout): void;
  /** Measure GPU time by phase or by kernel. */
  profile?: 'phase' | 'kernel';
}

export interface GrpoParts {
  gpu: Gpu;
  config: RunConfig;
  tokenizer: TextTokenizer;
  learner: PolicyLearner;
  sampler: CompletionSampler;
  parameters: LearnedParameters;
}

/** GPU time and dispatches by phase or kernel. */
export interface GpuProfile {
  milliseconds: Record<string, number>;
  dispatches: Record<string, number>;
}

/** Streams of the sampler: training steps count from 1, evaluations share one far away. */
const EVALUATION_STREAM = 0x80000000;

export class Grpo {
  /** Of the last step, when it was profiled. */
  profile: GpuProfile | null = null;
  private readonly task: Task;
  private readonly texts: TokenTexts;
  /** Optimizer updates so far, for Adam's bias correction. */
  private updates = 0;
  private tokens = 0;
  private prepared: Promise<void> | null = null;

  constructor(
    private readonly parts: GrpoParts,
    private readonly options: GrpoOptions = {},
  ) {
    this.task = taskFor(parts.config.task, parts.tokenizer);
    this.texts = new TokenTexts(parts.tokenizer);
  }

  /** One step. Steps count from 1; all randomness is keyed by (seed, step). */
  async step(step: number, live: LiveConfig): Promise<StepResult> {
    await this.prepare();
    const config = { ...this.parts.config, ...live };
    const timings: Record<string, number> = {};
    const clock = stopwatch(timings);

    const batch = await this.sample(step, config);
    clock('rollout');
    const rollout = rewardBatch(batch, this.task, config);
    const lr = learningRate(config, step - 1);
    this.options.onBatch?.(step, lr, rollout);
    clock('rewards');
    const { metrics, logprobsAfter } = await this.update(rollout, config, lr);
    this.parts.sampler.weightsChanged();
    clock('update');

    const measured = rolloutMetrics(rollout, config, this.tokens);
    this.tokens = measured.num_tokens!;
    const groups = describeGroups(rollout, config.num_generations, this.texts, logprobsAfter);
    clock('events');
    timings.total = Object.values(timings).reduce((a, b) => a + b, 0);
    return {
      metrics: { ...measured, ...metrics, learning_rate: lr, step_time: timings.total / 1000 },
      groups,
      timings,
    };
  }

  /**
   * Accuracy and more on held-out problems, the same ones at every step of a run.
   * @param samples completions of each problem; with more than one, pass@k is reported too
   */
  async evaluate(_step = 0, samples = 1): Promise<EvaluationResult> {
    await this.prepare();
    return this.evaluateNow(samples);
  }

  /** Like `evaluate`, on the model as it was loaded. Must come before any other call. */
  evaluateBeforeSft(): Promise<EvaluationResult> {
    return this.evaluateNow(1);
  }

  /** Everything that `restore` needs to continue bit for bit, as a safetensors file (src/rl/checkpoint.ts). */
  async checkpoint(): Promise<Uint8Array> {
    await this.prepare();
    const { learner, parameters } = this.parts;
    const { moments } = learner.optimizer;
    return encodeCheckpoint({
      updates: this.updates,
      tokens: this.tokens,
      parameters: await parameters.values(),
      moments: new Float32Array(await learner.gpu.read(moments, moments.size)),
      reference: await parameters.referenceValues(),
      adapter: parameters.adapter,
    });
  }

  /** @throws Error when the file is damaged or from another run; nothing has changed then */
  async restore(bytes: Uint8Array): Promise<void> {
    const { learner, parameters, sampler } = this.parts;
    const checkpoint = decodeCheckpoint(bytes);
    const { moments } = learner.optimizer;
    if (checkpoint.moments.byteLength !== moments.size) {
      throw new Error(
        `The checkpoint is not one of this model: it has ${checkpoint.moments.length} optimizer moments, not ${moments.size / 4}.`,
      );
    }
    parameters.restore(checkpoint);
    learner.gpu.write(moments, checkpoint.moments);
    sampler.weightsChanged();
    this.prepared = Promise.resolve();
    this.updates = checkpoint.updates;
    this.tokens = checkpoint.tokens;
    await learner.gpu.device.queue.onSubmittedWorkDone();
  }

  /** The supervised start, once, unless a checkpoint has been restored instead. */
  private prepare(): Promise<void> {
    this.prepared ??= this.startSupervised();
    return this.prepared;
  }

  private async startSupervised(): Promise<void> {
    const { learner, tokenizer, config, parameters, sampler } = this.parts;
    await runSft({ learner, tokenizer, task: this.task, config }, parameters.sftLearningRate(config), this.options);
    parameters.startReinforcement();
    sampler.weightsChanged();
  }

  private evaluateNow(samples: number): Promise<EvaluationResult> {
    const { config, tokenizer, sampler } = this.parts;
    const settings = { ...samplingSettings(config, EVALUATION_STREAM), top_k: 0, top_p: 1 };
    return evaluate({
      task: this.task,
      config,
      tokenizer,
      texts: this.texts,
      problems: config.eval_problems,
      generate: (prompts: number[][]) => sampler.sample(prompts, samples, settings),
    });
  }

  /** A group of completions for each of the step's prompts. */
  private async sample(step: number, config: RunConfig): Promise<SampledBatch> {
    const { gpu, tokenizer, sampler } = this.parts;
    const { task } = this;
    const problems = trainingProblems(task, config.difficulty, config.seed, step, config.num_prompts);
    const prompts = problems.map((problem) => taskPrompt(tokenizer, task, problem));
    const recorder = gpu.recorder(this.options);
    const groups = await sampler.sample(prompts, config.num_generations, samplingSettings(config, step), recorder);
    if (this.options.profile) this.profile = await recorder.timings();
    const samples = groups.flat();
    const texts = samples.map(({ ids, truncated }) => this.texts.whole(truncated ? ids : ids.slice(0, -1)));
    return { problems, prompts, samples, texts };
  }

  /** The policy's update: num_iterations passes over the batch, micro-batch by micro-batch. */
  private async update(rollout: Rollout, config: RunConfig, lr: number) {
    const { gpu, learner } = this.parts;
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
    const recorder = gpu.recorder(this.options);
    if (learner.hasReference) {
      recorder.phase('reference');
      learner.scoreAs(recorder, batch, 'reference', learner.rows.refLogp, config.temperature);
    }
    const reads: Promise<[ArrayBuffer, ArrayBuffer]>[] = [];
    for (let iteration = 0; iteration < config.num_iterations; iteration++) {
      learner.accumulate(recorder, batch, config, { onPolicy: iteration === 0, temperature: config.temperature });
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
    // Awaited together: when the GPU is lost each of them rejects, and no rejection may go unhandled.
    const [measured, logprobsAfter] = await Promise.all([Promise.all(updates), after]);
    if (this.options.profile) this.profile = addProfiles(this.profile, await recorder.timings());
    return { metrics: meanOf(measured), logprobsAfter };
  }

  /** Log-probabilities of the sampled tokens under the updated policy, by sequence. */
  private rescore(recorder: Recorder, loaded: LoadedBatch, config: RunConfig): Promise<Float32Array[]> {
    const { learner } = this.parts;
    recorder.phase('rescore');
    learner.scoreAs(recorder, loaded, 'policy', learner.rows.dLogp, config.temperature);
    const { rows, rowStart } = loaded.batch;
    return recorder.read(learner.rows.dLogp, rows * 4).then((data) => {
      const values = new Float32Array(data);
      return Array.from({ length: rowStart.length - 1 }, (_, i) => values.subarray(rowStart[i]!, rowStart[i + 1]!));
    });
  }
}

function samplingSettings(config: RunConfig, stream: number): SamplingSettings {
  const { temperature, top_k, top_p, max_completion_length: max_new_tokens, seed } = config;
  return { temperature, top_k, top_p, max_new_tokens, seed, stream };
}

function meanOf(records: readonly Record<string, number>[]): Record<string, number> {
  const names = Object.keys(records[0]!);
  return Object.fromEntries(
    names.map((name) => [name, records.reduce((sum, record) => sum + record[name]!, 0) / records.length]),
  );
}

/** Returns a function that records the milliseconds since its last call under a name. */
function stopwatch(timings: Record<string, number>): (name: string) => void {
  let last = performance.now();
  return (name) => {
    const now = performance.now();
    timings[name] = now - last;
    last = now;
  };
}

function addProfiles(a: GpuProfile | null, b: GpuProfile): GpuProfile {
  const add = (x: Record<string, number> = {}, y: Record<string, number>) =>
    Object.fromEntries(
      [...new Set([...Object.keys(x), ...Object.keys(y)])].map((key) => [key, (x[key] ?? 0) + (y[key] ?? 0)]),
    );
  return { milliseconds: add(a?.milliseconds, b.milliseconds), dispatches: add(a?.dispatches, b.dispatches) };
}

/** The variant of the loss kernel that a config needs. */
export function lossOptions(config: RunConfig): PolicyLossOptions {
  return {
    objective: losses[config.loss_type].objective,
    sequenceRatio: config.importance_sampling_level === 'sequence',
    klRatio: config.use_bias_correction_kl,
  };
}
