/** @file Downloads files from the page. */
import type { ExportedFile } from '../../runs/exchange';

export type SavedFile = Omit<ExportedFile, 'bytes'> & { bytes: ExportedFile['bytes'] | Blob };

/** Downloads a file. */
export function saveAs({ name, type, bytes }: SavedFile): void {
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // By then the download has read the data.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
