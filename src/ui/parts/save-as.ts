/** @file Files out of the page. */
import type { ExportedFile } from '../../runs/exchange';

/** Hands a file to the browser to be saved. */
export function saveAs({ name, type, bytes }: ExportedFile): void {
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download has taken hold of the data by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
