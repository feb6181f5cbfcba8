/** @file The table behind a chart. */
import { t } from '../../i18n';
import { formatNumber } from './format';
import { pointAt, type Series } from './series';

export interface ChartTable {
  title: string;
  /** The first column is the step. */
  columns: readonly string[];
  rows: readonly (readonly (number | null)[])[];
}

/** One row for each step at which any series has a point. The cells of the other series are empty. */
export function seriesTable(title: string, series: readonly Series[]): ChartTable {
  const steps = [...new Set(series.flatMap((each) => each.points.map(([step]) => step)))].sort((a, b) => a - b);
  return {
    title,
    columns: [t('train:charts.step'), ...series.map((each) => each.name)],
    rows: steps.map((step) => [
      step,
      ...series.map((each) => {
        const point = pointAt(each.points, step);
        return point?.[0] === step ? point[1] : null;
      }),
    ]),
  };
}

/** Comma-separated values with a header line, in full precision. */
export function tableToCsv(table: ChartTable): string {
  const quote = (cell: string): string => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return [table.columns.map(quote), ...table.rows.map((row) => row.map((cell) => (cell === null ? '' : String(cell))))]
    .map((cells) => `${cells.join(',')}\n`)
    .join('');
}

/** At most `limit` rows, evenly spaced, always with the last one. */
export function thinRows<T>(rows: readonly T[], limit: number): readonly T[] {
  if (rows.length <= limit) return rows;
  const stride = Math.ceil(rows.length / limit);
  return rows.filter((_, i) => (rows.length - 1 - i) % stride === 0);
}

export const formatCell = (cell: number | null): string => (cell === null ? '' : formatNumber(cell));
