/**
 * @file The GRPO objectives in float64: loss, gradient and metrics from per-token log-probabilities. The reference that
 * the GPU kernel is checked against, itself checked against TRL 1.13.0's `GRPOTrainer._compute_loss` (names are its).
 *
 * Every objective is a weighted sum over the tokens t of the sequences i,
 *
 *   loss = Σ_i w_i Σ_t [ policy(ρ_it, A_i) + β · kl(ρ_it) ]
 *
 * where the loss's entry in the table `losses` decides `policy` and the weight w_i (sequenceWeights), and the importance sampling
 * level decides whether ρ is the token's own ratio or one for the whole sequence (GSPO, arXiv 2507.18071).
 */
import { t } from '../../i18n';
import type { Objective } from '../../nn/train/policy-loss';

type ImportanceSamplingLevel = 'token' | 'sequence';

/** The settings of a run that its loss is computed with. Names, meanings and defaults are TRL's. */
export interface LossConfig {
  loss_type: LossType;
  importance_sampling_level: ImportanceSamplingLevel;
  max_completion_length: number;
  epsilon: number;
  epsilon_high: number;
  /** Upper cap of the unclipped ratio (two-sided clipping); null = off. */
  delta: number | null;
  /** Weight of the KL to the frozen start model; 0 = no reference model. */
  beta: number;
  /** Multiply the KL estimate by the ratio (TRL 1.13's default). */
  use_bias_correction_kl: boolean;
  mask_truncated_completions: boolean;
  sapo_temperature_pos: number;
  sapo_temperature_neg: number;
}

/** N sequences of sampled tokens, packed end to end: T = Σ lengths. */
export interface LossBatch {
  /** [N] sampled tokens of each sequence, at least 1. */
  lengths: ArrayLike<number>;
  /** [N] */
  advantages: ArrayLike<number>;
  /** [T] log-probability of each sampled token under the current policy, at the sampling temperature. */
  logps: ArrayLike<number>;
  /** [T] under the policy that sampled it; without them ρ = 1 and still carries the gradient. */
  old_logps?: ArrayLike<number> | undefined;
  /** [T] under the reference model; needed when beta ≠ 0. */
  ref_logps?: ArrayLike<number> | undefined;
  /** [N] ended by the length limit; needed when mask_truncated_completions. */
  truncated?: ArrayLike<boolean> | undefined;
  /** [T] entropy of the distribution each token was drawn from; only measured. */
  entropies?: ArrayLike<number> | undefined;
  /** See sequenceWeights. */
  gradient_accumulation_steps?: number | undefined;
}

export interface LossResult {
  loss: number;
  /** [T] ∂loss/∂logp. */
  gradient: Float64Array;
  /** TRL's names; an undefined value (the minimum over no sequence) is left out. */
  metrics: Record<string, number>;
}

/** A term of the loss at one token, with its partial derivatives by the ratio and (directly) by the log-probability. */
export interface Term {
  value: number;
  byRatio: number;
  byLogp: number;
}

/** The term of the policy at one token, and where its ratio counts as clipped. */
interface ObjectiveDefinition {
  term(config: LossConfig, ratio: number, advantage: number, logp: number): Term;
  clipped(config: LossConfig, ratio: number, advantage: number): 'low' | 'high' | null;
}

/** What is maximised, negated; the kernel has the same (shaders/train/loss/policy_loss.wesl). */
const objectives: Readonly<Record<Exclude<Objective, 'cross_entropy'>, ObjectiveDefinition>> = {
  /** −min(min(ρ, δ)·A, clip(ρ, 1−ε, 1+ε_high)·A) */
  clip: {
    term(config, ratio, advantage) {
      const capped = capRatio(config, ratio);
      const clipped = Math.min(Math.max(ratio, 1 - config.epsilon), 1 + config.epsilon_high);
      const active = capped * advantage <= clipped * advantage ? capped : clipped;
      // Where the active branch is the ratio itself it carries the gradient; where it is a bound, nothing does.
      return { value: -active * advantage, byRatio: active === ratio ? -advantage : 0, byLogp: 0 };
    },
    clipped(config, ratio, advantage) {
      const compared = capRatio(config, ratio);
      if (compared < 1 - config.epsilon && advantage < 0) return 'low';
      return compared > 1 + config.epsilon_high && advantage > 0 ? 'high' : null;
    },
  },
  /** −min(ρ, ε_high)·A·logp with the ratio held constant; the cap is ε_high itself, not 1 + ε_high. */
  cispo: {
    term(config, ratio, advantage, logp) {
      const weight = -Math.min(ratio, config.epsilon_high) * advantage;
      return { value: weight * logp, byRatio: 0, byLogp: weight };
    },
    clipped: (config, ratio, advantage) => (ratio > config.epsilon_high && advantage > 0 ? 'high' : null),
  },
  /** −σ(τ(ρ−1))·4/τ·A, τ by the sign of A; it has no bound to clip at. */
  sapo: {
    term(config, ratio, advantage) {
      const temperature = advantage > 0 ? config.sapo_temperature_pos : config.sapo_temperature_neg;
      const gate = 1 / (1 + Math.exp(-temperature * (ratio - 1)));
      return { value: (-gate * 4 * advantage) / temperature, byRatio: -4 * gate * (1 - gate) * advantage, byLogp: 0 };
    },
    clipped: () => null,
  },
};

/** What the weight of a sequence may depend on. Tokens are counted without masked sequences, and are at least 1. */
interface WeightContext {
  /** Sequences of the batch, masked ones too. */
  count: number;
  /** Tokens of the sequence. */
  length: number;
  batchTokens: number;
  /** Tokens of the sequence's micro-batch, and the number of micro-batches. */
  microBatchTokens: number;
  microBatches: number;
  max_completion_length: number;
}

interface LossDefinition {
  /** For the settings form. */
  label: string;
  /** What the kernel computes at each token. */
  objective: keyof typeof objectives;
  /** The weight of each token's term. */
  weight(context: WeightContext): number;
  /** The settings that only some losses use, as far as this one does. */
  settings: readonly (keyof LossConfig)[];
  /** The metrics of clipping that it reports, by TRL's names. */
  clipMetrics: 'clip_ratio' | 'cispo_clip_ratio' | null;
}

const CLIP = {
  objective: 'clip',
  settings: ['epsilon', 'epsilon_high', 'delta'],
  clipMetrics: 'clip_ratio',
} as const satisfies Partial<LossDefinition>;
const meanOfMeans = ({ count, length }: WeightContext): number => 1 / (count * length);
const meanOfTokens = ({ batchTokens }: WeightContext): number => 1 / batchTokens;

const definitions = {
  grpo: { ...CLIP, label: t('config:losses.grpo'), weight: meanOfMeans },
  bnpo: {
    ...CLIP,
    label: t('config:losses.bnpo'),
    weight: ({ microBatches, microBatchTokens }: WeightContext) => 1 / (microBatches * microBatchTokens),
  },
  dr_grpo: {
    ...CLIP,
    label: t('config:losses.dr_grpo'),
    weight: ({ count, max_completion_length }: WeightContext) => 1 / (count * max_completion_length),
  },
  dapo: { ...CLIP, label: t('config:losses.dapo'), weight: meanOfTokens },
  cispo: {
    label: t('config:losses.cispo'),
    objective: 'cispo',
    weight: meanOfTokens,
    settings: ['epsilon_high'],
    clipMetrics: 'cispo_clip_ratio',
  },
  sapo: {
    label: t('config:losses.sapo'),
    objective: 'sapo',
    weight: meanOfMeans,
    settings: ['sapo_temperature_pos', 'sapo_temperature_neg'],
    clipMetrics: null,
  },
} as const satisfies Record<string, LossDefinition>;

/** TRL's names of the losses. */
export type LossType = keyof typeof definitions;

/** Every loss once: what the form offers, the kernel computes, the weights and the metrics all follow from its entry. */
export const losses: Readonly<Record<LossType, LossDefinition>> = definitions;

/** Whether a setting means anything with a loss; settings that no loss lists belong to all of them. */
export function lossUses(loss: LossType, setting: string): boolean {
  const lists = (entry: LossDefinition) => (entry.settings as readonly string[]).includes(setting);
  return lists(losses[loss]) || !Object.values(losses).some(lists);
}

/** The policy's term of a loss at one token. */
export function policyTerm(config: LossConfig, ratio: number, advantage: number, logp: number): Term {
  return objectives[losses[config.loss_type].objective].term(config, ratio, advantage, logp);
}

/** k3 = e^Δ − Δ − 1 with Δ = ref − logp (Schulman), times the ratio with use_bias_correction_kl. Without β. */
export function klTerm(config: LossConfig, ratio: number, logp: number, refLogp: number): Term {
  const delta = refLogp - logp;
  const k3 = Math.exp(delta) - delta - 1;
  const slope = 1 - Math.exp(delta);
  return config.use_bias_correction_kl
    ? { value: k3 * ratio, byRatio: k3, byLogp: slope * ratio }
    : { value: k3, byRatio: 0, byLogp: slope };
}

/** The ratio under the two-sided cap δ. TRL takes it for the clip metrics too, but not for the KL's correction. */
function capRatio(config: LossConfig, ratio: number): number {
  return config.delta === null ? ratio : Math.min(ratio, config.delta);
}

/**
 * The weight w_i of each token's term, by sequence; 0 for a masked one. N counts all sequences of the batch, masked
 * ones too; tokens are counted without the masked sequences. The table `losses` has:
 *
 * - grpo, sapo: 1 / (N · length_i), the mean over sequences of the mean over tokens.
 * - dr_grpo: 1 / (N · max_completion_length).
 * - dapo, cispo: 1 / (tokens of the whole batch).
 * - bnpo: 1 / (tokens of the micro-batch · number of micro-batches): the only one that depends on how TRL splits a
 *   batch into `gradientAccumulationSteps` equal parts. With 1, the default, it is dapo.
 *
 * An engine that splits a batch for memory alone keeps these weights, so that the split never changes the result.
 * @throws RangeError if the batch can't be split evenly.
 */
export function sequenceWeights(
  config: LossConfig,
  lengths: ArrayLike<number>,
  truncated: ArrayLike<boolean> | undefined,
  gradientAccumulationSteps = 1,
): Float64Array {
  const count = lengths.length;
  if (count % gradientAccumulationSteps !== 0) {
    throw new RangeError(`${count} sequences do not split into ${gradientAccumulationSteps} equal micro-batches.`);
  }
  const live = (i: number) => !(config.mask_truncated_completions && truncated?.[i]);
  const tokens = (start: number, end: number) => {
    let total = 0;
    for (let i = start; i < end; i++) if (live(i)) total += lengths[i]!;
    return Math.max(total, 1);
  };
  const microBatch = count / gradientAccumulationSteps;
  const allTokens = tokens(0, count);
  const microTokens = Array.from({ length: gradientAccumulationSteps }, (_, k) =>
    tokens(k * microBatch, (k + 1) * microBatch),
  );
  const weight = (i: number): number =>
    losses[config.loss_type].weight({
      count,
      length: lengths[i]!,
      batchTokens: allTokens,
      microBatchTokens: microTokens[Math.floor(i / microBatch)]!,
      microBatches: gradientAccumulationSteps,
      max_completion_length: config.max_completion_length,
    });
  return Float64Array.from({ length: count }, (_, i) => (live(i) ? weight(i) : 0));
}

/** Loss, gradient and metrics of a batch. @throws RangeError if beta ≠ 0 without reference log-probabilities. */
export function grpoLoss(config: LossConfig, batch: LossBatch): LossResult {
  const { lengths, advantages, logps, ref_logps, entropies } = batch;
  if (config.beta !== 0 && !ref_logps) throw new RangeError('beta is not 0, so ref_logps are needed.');
  const old = batch.old_logps ?? logps;
  const weights = sequenceWeights(config, lengths, batch.truncated, batch.gradient_accumulation_steps);
  const bySequence = config.importance_sampling_level === 'sequence';
  const gradient = new Float64Array(logps.length);
  const clips = new ClipMetrics(config);
  let loss = 0;
  let tokens = 0;
  let kl = 0;
  let entropy = 0;

  for (let i = 0, start = 0; i < lengths.length; i++) {
    const length = lengths[i]!;
    const end = start + length;
    const weight = weights[i]!;
    const advantage = advantages[i]!;
    if (weight === 0) {
      clips.addMasked();
      start = end;
      continue;
    }
    let meanLogRatio = 0;
    for (let t = start; t < end; t++) meanLogRatio += (logps[t]! - old[t]!) / length;
    const sequenceRatio = Math.exp(meanLogRatio);
    let bySequenceRatio = 0;

    clips.begin();
    for (let t = start; t < end; t++) {
      const logp = logps[t]!;
      const ratio = bySequence ? sequenceRatio : Math.exp(logp - old[t]!);
      const term = policyTerm(config, ratio, advantage, logp);
      if (config.beta !== 0) {
        const divergence = klTerm(config, ratio, logp, ref_logps![t]!);
        term.value += config.beta * divergence.value;
        term.byRatio += config.beta * divergence.byRatio;
        term.byLogp += config.beta * divergence.byLogp;
        kl += divergence.value;
      }
      loss += weight * term.value;
      // ∂ρ/∂logp is ρ for a token's own ratio; a sequence's ratio moves by ρ / length with each of its tokens.
      gradient[t] = weight * (term.byLogp + (bySequence ? 0 : term.byRatio * ratio));
      bySequenceRatio += term.byRatio;
      entropy += entropies?.[t] ?? 0;
      clips.addToken(ratio, advantage);
    }
    clips.end(length);
    if (bySequence) {
      const share = (weight * bySequenceRatio * sequenceRatio) / length;
      for (let t = start; t < end; t++) gradient[t]! += share;
    }
    tokens += length;
    start = end;
  }

  const metrics: Record<string, number> = {};
  if (config.beta !== 0) metrics.kl = kl / Math.max(tokens, 1);
  if (entropies) metrics.entropy = entropy / Math.max(tokens, 1);
  return { loss, gradient, metrics: { ...metrics, ...clips.result() } };
}

/**
 * TRL's clip ratios: the share of tokens (sequence level: of sequences, masked ones included) whose ratio lies beyond a
 * bound on the side where the clip acts, and the extreme of that share over sequences. None for sapo, which has no bound.
 */
class ClipMetrics {
  private low = { sum: 0, inSequence: 0, shares: [] as number[] };
  private high = { sum: 0, inSequence: 0, shares: [] as number[] };
  private tokens = 0;
  private sequences = 0;
  constructor(private readonly config: LossConfig) {}

  begin(): void {
    this.low.inSequence = this.high.inSequence = 0;
  }

  addToken(ratio: number, advantage: number): void {
    const side = objectives[losses[this.config.loss_type].objective].clipped(this.config, ratio, advantage);
    if (side !== null) this[side].inSequence++;
  }

  end(length: number): void {
    const perSequence = this.config.importance_sampling_level === 'sequence';
    for (const side of [this.low, this.high]) {
      const share = side.inSequence / length;
      side.sum += perSequence ? share : side.inSequence;
      side.shares.push(share);
    }
    this.tokens += length;
    this.sequences++;
  }

  /** A masked sequence is not clipped. It counts at sequence level only. */
  addMasked(): void {
    this.sequences++;
    if (this.config.importance_sampling_level !== 'sequence') return;
    this.low.shares.push(0);
    this.high.shares.push(0);
  }

  result(): Record<string, number> {
    const { config, low, high } = this;
    const { clipMetrics } = losses[config.loss_type];
    if (clipMetrics === null) return {};
    const count = Math.max(config.importance_sampling_level === 'sequence' ? this.sequences : this.tokens, 1);
    if (clipMetrics === 'cispo_clip_ratio') return { cispo_clip_ratio: high.sum / count };
    const metrics: Record<string, number> = {
      'clip_ratio/low_mean': low.sum / count,
      'clip_ratio/high_mean': high.sum / count,
      'clip_ratio/region_mean': (low.sum + high.sum) / count,
    };
    if (low.shares.length > 0) {
      metrics['clip_ratio/low_min'] = Math.min(...low.shares);
      metrics['clip_ratio/high_max'] = Math.max(...high.shares);
    }
    return metrics;
  }
}
