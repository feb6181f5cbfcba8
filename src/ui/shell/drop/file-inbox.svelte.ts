/**
 * @file Files on their way to the page they belong to. Whoever has the files leaves them here and opens the page, which
 * takes them whether it was open before or not.
 */
import { untrack } from 'svelte';
import type { FileKind, RecognisedFiles } from './recognise';

/** The page that each kind of file belongs to. */
export const PAGE_OF: Readonly<Record<FileKind, string>> = {
  run: 'runs',
  modelZip: 'runs',
  model: 'models',
  adapter: 'chat',
  dataset: 'distil',
  problems: 'eval',
  conversations: 'chat',
};

export class FileInbox {
  #waiting = $state.raw<(RecognisedFiles & { page: string }) | null>(null);

  /** Leaves files for a page, in place of any that were left before. */
  leave(page: string, files: RecognisedFiles): void {
    this.#waiting = { ...files, page };
  }

  /** Calls `handle` with the files that are or will be left for a page. Call this while the page's component is created. */
  receive(page: string, handle: (files: RecognisedFiles) => void): void {
    $effect(() => {
      const waiting = this.#waiting;
      if (waiting?.page !== page) return;
      this.#waiting = null;
      untrack(() => handle(waiting));
    });
  }
}

export const fileInbox = new FileInbox();
