/** @file Dates in lists. */

/** The time for today, otherwise the date, with the year if it isn't this year. `time` is in milliseconds since 1970. */
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
