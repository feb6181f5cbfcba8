/** @file The GRPO family of losses (and plain cross-entropy) over the log-probabilities of sampled tokens. */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { f32, type Recorder } from '../../gpu/recorder';

/** What a token's loss is, as in shaders/train/loss/policy_loss.wesl. */
const OBJECTIVES = { clip: 0, cispo: 1, sapo: 2, cross_entropy: 3 } as const;
export type Objective = keyof typeof OBJECTIVES;

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

/** For the cross_entropy objective, which has no ratio to clip and no reference. */
export const CROSS_ENTROPY: PolicyLossSettings = {
  epsilon: 0,
  epsilon_high: 0,
  delta: null,
  beta: 0,
  sapo_temperature_pos: 1,
  sapo_temperature_neg: 1,
};

/** Words of a sequence's entry: first row, end row, advantage and weight as f32. */
export const SEQUENCE_WORDS = 4;
/** What the kernel reports of each sequence, in this order. */
export const STAT_NAMES = ['loss', 'kl', 'low', 'high', 'entropy', 'tokens', 'ratio', 'logp'] as const;
export type SequenceStats = Record<(typeof STAT_NAMES)[number], number>;

const NO_CAP = 3.4e38;

export class PolicyLoss {
  private constructor(private readonly kernel: Kernel) {}

  static async create(gpu: Gpu, options: PolicyLossOptions): Promise<PolicyLoss> {
    const constants = {
      LOSS: OBJECTIVES[options.objective],
      SEQUENCE_RATIO: options.sequenceRatio ? 1 : 0,
      KL_RATIO: options.klRatio ? 1 : 0,
    };
    return new PolicyLoss(await gpu.kernel('train/loss/policy_loss', { constants }));
  }

  /**
   * Losses and their gradients by logp for sequences [first, first + count).
   * @param onPolicy whether the ratio is 1 by definition, these being the log-probabilities that sampled; they are kept
   *   as `oldLogp`
   */
  record(
    recorder: Recorder,
    tensors: Record<'logp' | 'oldLogp' | 'refLogp' | 'entropy' | 'sequences' | 'dLogp' | 'stats', Tensor>,
    first: number,
    count: number,
    onPolicy: boolean,
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
