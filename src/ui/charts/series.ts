/** @file Named series over steps, and their SVG paths. */
import type { Scale } from './scale';

/** Value at a step; null leaves a gap. */
export type Point = readonly [step: number, value: number | null];

export interface Series {
  name: string;
  points: readonly Point[];
  /** CSS colour. */
  color: string;
  /** SVG dash pattern, so that series don't differ by colour alone. */
  dash?: string;
  width?: number;
  /** Drawn and in the table, but not in the legend. */
  quiet?: boolean;
  /** Draw a dot at each point, for series with few points. */
  dots?: boolean;
}

/** A path through the points, interrupted where a value is missing. */
export function linePath(points: readonly Point[], x: Scale, y: Scale): string {
  let path = '';
  let pen = false;
  for (const [step, value] of points) {
    if (value === null || !Number.isFinite(value)) {
      pen = false;
      continue;
    }
    path += `${pen ? 'L' : 'M'}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = true;
  }
  return path;
}

/** A closed band between two lines over the same steps. */
export function bandPath(
  steps: readonly number[],
  low: readonly number[],
  high: readonly number[],
  x: Scale,
  y: Scale,
): string {
  if (steps.length === 0) return '';
  const at = (step: number, value: number): string => `${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
  const top = steps.map((step, i) => at(step, high[i]!));
  const bottom = steps.map((step, i) => at(step, low[i]!)).reverse();
  return `M${top.join('L')}L${bottom.join('L')}Z`;
}

/** The point at a step or the last one before it; undefined before the first. Points are in order of their steps. */
export function pointAt(points: readonly Point[], step: number): Point | undefined {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle]![0] <= step) low = middle + 1;
    else high = middle;
  }
  return points[low - 1];
}

/** The largest finite value of all series; 0 if there is none. */
export function largest(series: readonly Series[]): number {
  let result = 0;
  for (const { points } of series) {
    for (const [, value] of points) if (value !== null && Number.isFinite(value) && value > result) result = value;
  }
  return result;
}
