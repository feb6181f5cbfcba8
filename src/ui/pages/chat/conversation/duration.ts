/** @file Durations as text. */
import { t } from '../../../../i18n';

/** "4 s", "1 min 12 s", "0.3 s". */
export function formatDuration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 9.95) return t('chat:duration.seconds', { seconds: seconds.toFixed(1) });
  if (seconds < 59.5) return t('chat:duration.seconds', { seconds: Math.round(seconds) });
  const minutes = Math.floor(Math.round(seconds) / 60);
  return t('chat:duration.minutes', { minutes, seconds: Math.round(seconds) % 60 });
}
