/** @file Numbers of parameters, speeds and times left, as the Models page writes them. */
import { formatBytes } from '../../../base/bytes';

/** 135 M, 1.8 B: two digits at most below ten. */
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

/** 40 s, 12 min, 3 h 5 min: rounded up, because it is a promise. */
export function formatTimeLeft(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '–';
  if (seconds <= 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export const formatSpeed = (bytesPerSecond: number): string => `${formatBytes(bytesPerSecond)}/s`;
