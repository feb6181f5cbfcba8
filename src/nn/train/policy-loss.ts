/** @file The GRPO family of losses (and plain cross-entropy) over the log-probabilities of sampled tokens. */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { f32, type Recorder } from '../../gpu/recorder';

/**
 * What a token's loss is. Each objective of a policy is a condition of shaders/train/loss/policy_terms.wesl, by its name in
 * capitals. To add one, add its name here, its terms there, and its reference and weights in src/rl/grpo/losses.ts.
 */
export const objectives = ['clip', 'cispo', 'sapo', 'cross_entropy'] as const;
export type Objective = (typeof objectives)[number];

export interface PolicyLossOptions {
  objective: Objective;
  /** One ratio a sequence instead of one a token. */
  sequenceRatio: boolean;
  /** Multiply the KL estimate by the ratio. */
  klRatio: boolean;
}

export interface PolicyLossSettings {
  epsilon: number;
  epsilon_high: number;
  delta: number | null;
  beta: number;
  sapo_temperature_pos: number;
  sapo_temperature_neg: number;
}

/** The settings for cross-entropy, which has no ratio to clip and no reference model. */
export const CROSS_ENTROPY: PolicyLossSettings = {
  epsilon: 0,
  epsilon_high: 0,
  delta: null,
  beta: 0,
  sapo_temperature_pos: 1,
  sapo_temperature_neg: 1,
};

/** Words of a sequence's entry: its first row, the row after its last one, advantage and weight as f32. */
export const SEQUENCE_WORDS = 4;
/** What the kernel measures for each sequence, in this order. */
export const STAT_NAMES = ['loss', 'kl', 'low', 'high', 'entropy', 'tokens', 'ratio', 'logp'] as const;
export type SequenceStats = Record<(typeof STAT_NAMES)[number], number>;

export interface LossSpan {
  /** Sequences [first, first + count) of the batch. */
  first: number;
  count: number;
  /** Their log-probabilities are those they were sampled with, so that the ratio is 1. They are kept as `oldLogp`. */
  onPolicy: boolean;
}

/** Stands for no upper bound of the ratio. */
const NO_CAP = 3.4e38;

export class PolicyLoss {
  private constructor(private readonly kernel: Kernel) {}

  static async create(gpu: Gpu, options: PolicyLossOptions): Promise<PolicyLoss> {
    const constants = {
      SEQUENCE_RATIO: options.sequenceRatio ? 1 : 0,
      KL_RATIO: options.klRatio ? 1 : 0,
    };
    const conditions = Object.fromEntries(objectives.map((name) => [name.toUpperCase(), name === options.objective]));
    return new PolicyLoss(await gpu.kernel('train/loss/policy_loss', { constants, conditions }));
  }

  /** Records the losses of some sequences, and their gradients by each token's log-probability. */
  record(
    recorder: Recorder,
    tensors: Record<'logp' | 'oldLogp' | 'refLogp' | 'entropy' | 'sequences' | 'dLogp' | 'stats', Tensor>,
    { first, count, onPolicy }: LossSpan,
    settings: PolicyLossSettings,
  ): void {
    const { logp, oldLogp, refLogp, entropy, sequences, dLogp, stats } = tensors;
    recorder.dispatch(
      this.kernel,
      [logp, oldLogp, refLogp, entropy, sequences, dLogp, stats],
      [
        first,
        onPolicy ? 1 : 0,
        f32(settings.epsilon),
        f32(settings.epsilon_high),
        f32(settings.delta ?? NO_CAP),
        f32(settings.beta),
        f32(settings.sapo_temperature_pos),
        f32(settings.sapo_temperature_neg),
      ],
      [count],
    );
  }
}

export function parseStats(data: ArrayBuffer, sequences: number): SequenceStats[] {
  const values = new Float32Array(data);
  return Array.from({ length: sequences }, (_, i) => {
    const stats = {} as SequenceStats;
    STAT_NAMES.forEach((name, j) => (stats[name] = values[i * STAT_NAMES.length + j]!));
    return stats;
  });
}
