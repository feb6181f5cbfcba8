/** @file What the charts draw, from the view of a run. */
import { t } from '../../../../i18n';
import type { ChartText } from '../../../charts/chart-text';
import type { HeatColumn } from '../../../charts/heat';
import type { Point } from '../../../charts/series';
import type { RunView } from '../run/run-view';
import type { Outcome } from './step-summary';

export interface Diagnostic {
  text: ChartText;
  /** The metric's name in TRL. */
  metric: string;
  /** Values from 0 to 1, shown as percentages. */
  share: boolean;
}

function diagnostic(
  key: 'entropy' | 'kl' | 'clipped' | 'zeroVariance' | 'gradient' | 'learningRate',
  metric: string,
  share = false,
): Diagnostic {
  const text = {
    title: t(`train:charts.${key}.title`),
    meaning: t(`train:charts.${key}.meaning`),
    tooltip: metricTooltip(metric),
  };
  return { text, metric, share };
}

/** The charts of the optimizer. */
export const diagnostics: readonly Diagnostic[] = [
  diagnostic('entropy', 'entropy'),
  diagnostic('kl', 'kl'),
  diagnostic('clipped', 'clip_ratio/region_mean', true),
  diagnostic('zeroVariance', 'frac_reward_zero_std', true),
  diagnostic('gradient', 'grad_norm'),
  diagnostic('learningRate', 'learning_rate'),
];

/** Names a metric as TRL does, for people who know it from there. */
export function metricTooltip(metric: string): string {
  return t('train:charts.metric', { metric });
}

export function metricPoints(view: RunView, metric: string): Point[] {
  return view.steps.map(({ step, metrics }) => [step, metrics[metric] ?? null]);
}

/** The largest reward that a completion can earn, so that the axis doesn't move; at least 1, the largest accuracy. */
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
 * Shares of the answer styles from the bottom up: the one with the most thinking is first and darkest, `unformatted` is
 * last and grey.
 * @param styles all known styles, from the least thinking to the most; unknown ones are added on top
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
  ].map(({ name, color }) => ({
    name: styleLabel(name),
    color,
    values: view.steps.map(({ summary }) => summary.styles[name] ?? 0),
  }));
}

/** A style in words; an unknown one by its own name. */
function styleLabel(style: string): string {
  switch (style) {
    case 'check':
    case 'full':
    case 'partial':
    case 'direct':
    case 'unformatted':
      return t(`train:charts.styleNames.${style}`);
    default:
      return style;
  }
}
