/** @file Numbers as the page writes them: a real minus sign, few digits, the same width while they change. */

/** At most three significant digits after the first few: 0.047, 0.63, 12.4, 1,234. `–` for a missing value. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  const text =
    size !== 0 && size < 0.001
      ? value.toExponential(1)
      : size >= 1000
        ? Math.round(value).toLocaleString('en-US')
        : value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 || size === 0 ? 2 : 3);
  return text.replaceAll('-', '−');
}

/** As short as possible, for settings and ticks: 1, 0.2, 3e−4, 112. At most four significant digits. */
export function formatShort(value: number): string {
  const size = Math.abs(value);
  const text = size !== 0 && (size < 0.01 || size >= 1e6) ? value.toExponential(3) : value.toPrecision(4);
  return text
    .replace(/(\.\d*?)0+(?=e|$)/, '$1')
    .replace(/\.(?=e|$)/, '')
    .replace('e+', 'e')
    .replaceAll('-', '−');
}

export function formatPercent(share: number | null | undefined): string {
  return share === null || share === undefined ? '–' : `${Math.round(share * 100)}%`;
}

/** Always with its sign: +0.90, −1.20, 0.00. */
export function formatSigned(value: number, digits = 2): string {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return `${value < 0 ? '−' : '+'}${text}`;
}

/** A fixed number of digits with a real minus sign, and no sign before zero. */
export function formatFixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace('-', '') : text).replace('-', '−');
}
