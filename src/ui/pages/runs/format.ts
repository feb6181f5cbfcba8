/** @file Sizes and dates as the library writes them. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** 999 B, 1.2 kB, 34 MB: decimal units, two digits at most below ten. */
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

/** Today's time of day, else the date; with the year if it isn't this one's. `time` in milliseconds since 1970. */
export function formatWhen(time: number, now: number, locale?: string): string {
  const date = new Date(time);
  const today = new Date(now);
  if (Number.isNaN(date.getTime())) return '–';
  if (date.toDateString() === today.toDateString()) {
    return date.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit' });
  }
  const year = date.getFullYear() === today.getFullYear() ? {} : ({ year: 'numeric' } as const);
  return date.toLocaleDateString(locale, { day: 'numeric', month: 'short', ...year });
}
