/** @file Files that a person chose on a page that they don't belong to. */
import { router } from '../router.svelte';
import { fileInbox, PAGE_OF } from './file-inbox.svelte';

/**
 * Sends files to the page that they belong to and opens it, if that is another one.
 * @returns false where they stay on this page: they belong here, or are nothing that is known, which the page explains
 */
export async function sendElsewhere(files: readonly File[], here: string): Promise<boolean> {
  const { recognise } = await import('./recognise');
  const recognised = await recognise(files).catch(() => null);
  if (!recognised || PAGE_OF[recognised.kind] === here) return false;
  const page = PAGE_OF[recognised.kind];
  fileInbox.leave(page, recognised);
  router.go(page);
  return true;
}
