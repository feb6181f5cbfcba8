/** @file From the view of a run to what the charts draw. */
import type { HeatColumn } from '../../../charts/heat';
import type { Point } from '../../../charts/series';
import type { RunView } from './run-view';
import type { Outcome } from './step-summary';

/** The optimiser's vital signs, by TRL's names. */
export const smallMultiples: readonly { title: string; metric: string; share?: boolean }[] = [
  { title: 'Entropy', metric: 'entropy' },
  { title: 'KL to start', metric: 'kl' },
  { title: 'Clipped', metric: 'clip_ratio/region_mean', share: true },
  { title: 'Zero variance', metric: 'frac_reward_zero_std', share: true },
  { title: 'Gradient norm', metric: 'grad_norm' },
  { title: 'Learning rate', metric: 'learning_rate' },
];

export function metricPoints(view: RunView, metric: string): Point[] {
  return view.steps.map(({ step, metrics }) => [step, metrics[metric] ?? null]);
}

/** The most that a completion can earn, so that the reward axis stays put; at least 1, where the accuracy ends. */
export function rewardTop(view: RunView): number {
  const weights = view.config?.reward_weights ?? [];
  return Math.max(
    1,
    weights.reduce((sum, weight) => sum + Math.max(0, weight), 0),
  );
}

export function evalPoints(view: RunView, metric: string): Point[] {
  return view.evals.map(({ step, metrics }) => [step, metrics[metric] ?? null]);
}

export function outcomePoints(view: RunView, outcome: Outcome): Point[] {
  return view.steps.map(({ step, summary }) => [step, summary.lengths[outcome]]);
}

export function lengthColumns(view: RunView): HeatColumn[] {
  return view.steps.map(({ step, summary }) => ({ step, shares: summary.histogram }));
}

/**
 * Shares of the answer styles from the bottom up: the most thinking first and darkest, `unformatted` last and grey.
 * @param styles all known styles, from the least thinking to the most; a style the list lacks is added on top.
 */
export function styleLayers(
  view: RunView,
  styles: readonly string[],
): { name: string; values: number[]; color: string }[] {
  const seen = new Set(view.steps.flatMap(({ summary }) => Object.keys(summary.styles)));
  const thinking = styles.filter((style) => style !== 'unformatted');
  const unknown = [...seen].filter((style) => !styles.includes(style)).sort();
  const others = [...styles.filter((style) => style === 'unformatted'), ...unknown];
  const shade = (place: number): string =>
    `color-mix(in srgb, var(--think) ${Math.round(100 - (place / Math.max(1, thinking.length)) * 90)}%, var(--bg))`;
  return [
    ...thinking.toReversed().map((name, place) => ({ name, color: shade(place) })),
    ...others.map((name) => ({ name, color: 'var(--line-strong)' })),
  ].map(({ name, color }) => ({ name, color, values: view.steps.map(({ summary }) => summary.styles[name] ?? 0) }));
}
