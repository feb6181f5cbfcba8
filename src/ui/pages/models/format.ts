/** @file Numbers of parameters, speeds and remaining times, as the Models page writes them. */
import { formatBytes } from '../../../base/bytes';
import { t } from '../../../i18n';

/** 135 M, 1.8 B: one decimal below ten. */
export function formatParameters(count: number): string {
  if (!Number.isFinite(count) || count < 0) return '–';
  for (const [unit, size] of [
    ['B', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    // From where it would round to 1 of this unit.
    if (count < 0.9995 * size) continue;
    const value = count / size;
    return `${value.toFixed(value < 9.95 ? 1 : 0)} ${unit}`;
  }
  return String(Math.round(count));
}

/** 40 s, 12 min, 3 h 5 min: rounded up, so that it isn't exceeded. */
export function formatTimeLeft(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '–';
  if (seconds <= 90) return t('models:time.seconds', { count: Math.ceil(seconds) });
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return t('models:time.minutes', { count: minutes });
  return t('models:time.hours', { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

export const formatSpeed = (bytesPerSecond: number): string =>
  t('models:time.speed', { size: formatBytes(bytesPerSecond) });
