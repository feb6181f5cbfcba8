/** @file A heat map as paths of many cells each, so that thousands of cells cost some dozens of elements. */
import type { Scale } from './scale';

export const SHADES = 7;

export interface HeatColumn {
  step: number;
  /** Share in each bin, lowest bin first. */
  shares: readonly number[];
}

/** Neighbouring steps averaged, so that there are at most `limit` columns; each keeps its first step and its width. */
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

/** Shade 0 … SHADES − 1 of a share, or −1 for an empty bin. Square root: rare lengths must be seen. */
export function shadeOf(share: number): number {
  if (!(share > 0)) return -1;
  return Math.min(SHADES - 1, Math.floor(Math.sqrt(share) * SHADES * 1.3));
}

/** Columns whose cells share paths. As a run grows only the last chunk changes, and only its paths are drawn anew. */
const CHUNK = 16;

export interface HeatPath {
  key: string;
  shade: number;
  d: string;
}

/**
 * A path for each shade in each chunk of columns; a step's column is centred on the step.
 * @param width steps that a column stands for.
 * @param y maps bin edges 0 … bins to pixels, upwards.
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
  // Half a pixel of overlap: without it, columns at fractions of a pixel show seams.
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
