/** @file A heat map drawn as paths of many cells each, so that thousands of cells need only dozens of elements. */
import type { Scale } from './scale';

export const SHADES = 7;

export interface HeatColumn {
  step: number;
  /** The share in each bin, lowest bin first. */
  shares: readonly number[];
}

/** Averages neighbouring steps into at most `limit` columns, each named by its first step; `width` is the steps per column. */
export function mergeColumns(columns: readonly HeatColumn[], limit: number): { width: number; columns: HeatColumn[] } {
  const width = Math.max(1, Math.ceil(columns.length / limit));
  if (width === 1) return { width, columns: [...columns] };
  const merged: HeatColumn[] = [];
  for (let i = 0; i < columns.length; i += width) {
    const part = columns.slice(i, i + width);
    const bins = part[0]!.shares.length;
    const shares = Array.from(
      { length: bins },
      (_, bin) => part.reduce((sum, c) => sum + c.shares[bin]!, 0) / part.length,
    );
    merged.push({ step: part[0]!.step, shares });
  }
  return { width, columns: merged };
}

/** Shade 0 … SHADES − 1 of a share, or −1 for an empty bin. The square root keeps rare lengths visible. */
export function shadeOf(share: number): number {
  if (!(share > 0)) return -1;
  return Math.min(SHADES - 1, Math.floor(Math.sqrt(share) * SHADES * 1.3));
}

/** Columns per group of paths. As a run grows, only the last group changes and is drawn again. */
const CHUNK = 16;

export interface HeatPath {
  key: string;
  shade: number;
  d: string;
}

/**
 * One path for each shade in each chunk of columns. A column is centred on its step.
 * @param width steps per column
 * @param y maps bin edges 0 … bins to pixels, upwards
 */
export function heatPaths(columns: readonly HeatColumn[], width: number, x: Scale, y: Scale): HeatPath[] {
  const paths: HeatPath[] = [];
  for (let first = 0; first < columns.length; first += CHUNK) {
    const shades = new Array<string>(SHADES).fill('');
    for (const column of columns.slice(first, first + CHUNK)) addColumn(shades, column, width, x, y);
    shades.forEach((d, shade) => d && paths.push({ key: `${first}-${shade}`, shade, d }));
  }
  return paths;
}

/** Neighbouring cells of one shade become one rectangle. */
function addColumn(paths: string[], { step, shares }: HeatColumn, width: number, x: Scale, y: Scale): void {
  const left = x(step - 0.5);
  // Half a pixel of overlap hides the seams between columns at fractions of a pixel.
  const cell = x(step - 0.5 + width) - left + 0.5;
  for (let bin = 0; bin < shares.length;) {
    const shade = shadeOf(shares[bin]!);
    let end = bin + 1;
    while (end < shares.length && shadeOf(shares[end]!) === shade) end += 1;
    if (shade >= 0) {
      paths[shade] += `M${round(left)} ${round(y(end))}h${round(cell)}v${round(y(bin) - y(end))}h${round(-cell)}z`;
    }
    bin = end;
  }
}

const round = (value: number): number => Math.round(value * 100) / 100;
