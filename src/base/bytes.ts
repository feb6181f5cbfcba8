/** @file Sizes in bytes as text, in decimal units as browsers and Hugging Face write them. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** `999 B`, `1.2 kB`, `34 MB`: one decimal below ten, none from ten on; `–` for what is no size. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes) || bytes < 0) return '–';
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** Whole megabytes, rounded up, so that a memory need can be compared with a limit: `1525 MB`. */
export const formatMegabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
