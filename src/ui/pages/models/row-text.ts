/** @file Where a model comes from and how far it has come, in words. */
import { HUB_ENDPOINT } from '../../../formats/hub/model-address';
import type { ModelFacts } from '../../../formats/hub/stored-model';
import { formatBytes } from '../../../base/bytes';
import { formatSpeed, formatTimeLeft } from './format';
import type { ModelRow } from './models-state.svelte';

/** Commits are told apart by their first few digits. */
const SHORT = 7;

/** To follow "from": where it was, to the commit; the repository only if the model isn't named after it. */
export function originText({ name, origin }: Pick<ModelFacts, 'name' | 'origin'>): string {
  if (origin.kind === 'file') return 'a file of yours';
  if (origin.kind === 'url') return hostOf(origin.url);
  const { endpoint, repo, revision } = origin;
  const server = endpoint === HUB_ENDPOINT ? 'the Hugging Face Hub' : hostOf(endpoint);
  const commit = /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, SHORT) : revision;
  return `${name.startsWith(repo) ? '' : `${repo} on `}${server} at ${commit}`;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

/** How an incomplete model stands: `412 MB of 988 MB · 23 MB/s · 25 s left`. */
export function standing({ bytes, storedBytes, download }: ModelRow): string {
  const stored = `${formatBytes(storedBytes)} of ${formatBytes(bytes)}`;
  if (!download) return `${stored}, broken off`;
  const { status, progress } = download;
  if (status === 'waiting') return `${stored}, waiting for its turn`;
  if (status === 'paused') return `${stored}, paused`;
  if (status === 'failed') return `${stored}, failed`;
  if (!progress) return `${stored}, starting …`;
  if (progress.phase === 'checking') {
    return `checking what is here: ${formatBytes(progress.bytes)} of ${formatBytes(progress.total)}`;
  }
  const speed = progress.bytesPerSecond > 0 ? ` · ${formatSpeed(progress.bytesPerSecond)}` : '';
  const left = progress.secondsLeft === null ? '' : ` · ${formatTimeLeft(progress.secondsLeft)} left`;
  return stored + speed + left;
}
