/** @file Where a model comes from and how far its download is, in words. */
import { formatBytes } from '../../../../base/bytes';
import { HUB_ENDPOINT } from '../../../../formats/hub/model-address';
import type { ModelFacts } from '../../../../formats/hub/stored-model';
import { t } from '../../../../i18n';
import { formatSpeed, formatTimeLeft } from '../format';
import type { ModelRow } from './models-state.svelte';

/** The first digits of a commit are enough to tell commits apart. */
const COMMIT_DIGITS = 7;

/** Where a model comes from, down to the commit. The repository is left out if the model is named after it. */
export function originText({ name, origin }: Pick<ModelFacts, 'name' | 'origin'>): string {
  if (origin.kind === 'file') return t('models:origin.file');
  if (origin.kind === 'url') return t('models:origin.url', { host: hostOf(origin.url) });
  const { endpoint, repo, revision } = origin;
  const server = endpoint === HUB_ENDPOINT ? t('models:origin.hub') : hostOf(endpoint);
  const commit = /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, COMMIT_DIGITS) : revision;
  return name.startsWith(repo)
    ? t('models:origin.commit', { server, commit })
    : t('models:origin.repoCommit', { repo, server, commit });
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

/** How far an incomplete model is: `412 MB of 988 MB · 23 MB/s · 25 s left`. */
export function progressText({ bytes, storedBytes, download }: ModelRow): string {
  const sizes = { stored: formatBytes(storedBytes), total: formatBytes(bytes) };
  if (!download) return t('models:progress.stopped', sizes);
  const { status, progress } = download;
  if (status !== 'downloading') return t(`models:progress.${status}`, sizes);
  if (!progress) return t('models:progress.starting', sizes);
  if (progress.phase === 'checking') {
    return t('models:progress.checking', { done: formatBytes(progress.bytes), total: formatBytes(progress.total) });
  }
  if (progress.bytesPerSecond <= 0) return t('models:progress.stored', sizes);
  const speed = formatSpeed(progress.bytesPerSecond);
  if (progress.secondsLeft === null) return t('models:progress.speed', { ...sizes, speed });
  return t('models:progress.left', { ...sizes, speed, left: formatTimeLeft(progress.secondsLeft) });
}
