/** @file A heat map as a few paths, one for each shade, so that thousands of cells cost a handful of elements. */
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

/**
 * One path for each shade. A step's column is centred on the step.
 * @param y maps bin edges 0 … bins to pixels, upwards.
 */
export function heatPaths(columns: readonly HeatColumn[], width: number, x: Scale, y: Scale): string[] {
  const paths = new Array<string>(SHADES).fill('');
  for (const { step, shares } of columns) {
    const left = x(step - 0.5);
    // Half a pixel of overlap: without it, columns at fractions of a pixel show seams.
    const cell = x(step - 0.5 + width) - left + 0.5;
    shares.forEach((share, bin) => {
      const shade = shadeOf(share);
      if (shade < 0) return;
      const top = y(bin + 1);
      const size = y(bin) - top;
      paths[shade] +=
        `M${left.toFixed(1)} ${top.toFixed(1)}h${cell.toFixed(2)}v${size.toFixed(1)}h${(-cell).toFixed(2)}z`;
    });
  }
  return paths;
}
