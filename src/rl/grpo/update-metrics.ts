/** @file TRL's metrics of an update, from what the loss kernel reports of each sequence. */
import type { SequenceStats } from '../../nn/train/policy-loss';
import { losses, type LossConfig } from './losses';

/**
 * loss, entropy, kl and the clip ratios, as `grpoLoss` (src/rl/grpo/losses.ts) gives them.
 * @param weights each sequence's weight in the loss; masked sequences have 0
 */
export function updateMetrics(
  config: LossConfig,
  stats: readonly SequenceStats[],
  weights: ArrayLike<number>,
): Record<string, number> {
  const bySequence = config.importance_sampling_level === 'sequence';
  const live = stats.filter((_, i) => weights[i] !== 0);
  const total = (key: keyof SequenceStats) => live.reduce((sum, sequence) => sum + sequence[key], 0);
  const tokens = Math.max(total('tokens'), 1);
  const metrics: Record<string, number> = { loss: total('loss'), entropy: total('entropy') / tokens };
  if (config.beta !== 0) metrics.kl = total('kl') / tokens;
  const { clipMetrics } = losses[config.loss_type];
  if (clipMetrics === null) return metrics;
  const shares = (key: 'low' | 'high') => live.map((sequence) => sequence[key] / Math.max(sequence.tokens, 1));
  // At sequence level TRL averages over all sequences, the masked ones too.
  const masked = bySequence ? stats.length - live.length : 0;
  const mean = (key: 'low' | 'high') =>
    bySequence ? shares(key).reduce((a, b) => a + b, 0) / Math.max(stats.length, 1) : total(key) / tokens;
  if (clipMetrics === 'cispo_clip_ratio') return { ...metrics, cispo_clip_ratio: mean('high') };
  metrics['clip_ratio/low_mean'] = mean('low');
  metrics['clip_ratio/high_mean'] = mean('high');
  metrics['clip_ratio/region_mean'] = mean('low') + mean('high');
  if (live.length + masked > 0) {
    const zeros = masked > 0 ? [0] : [];
    metrics['clip_ratio/low_min'] = Math.min(...shares('low'), ...zeros);
    metrics['clip_ratio/high_max'] = Math.max(...shares('high'), ...zeros);
  }
  return metrics;
}
