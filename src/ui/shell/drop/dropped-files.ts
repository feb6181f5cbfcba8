/** @file The files of a drop event, including those in folders. */

/** More than any model folder holds. Stops the reading of a home folder that was dropped by mistake. */
const MAX_FILES = 500;

/**
 * Call this while the drop event is handled, because the browser empties the transfer afterwards. Files in a folder have a
 * `webkitRelativePath`, like those of a file input.
 */
export async function droppedFiles(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].map((item) => (item.kind === 'file' ? item.webkitGetAsEntry() : null));
  const plain = [...transfer.files];
  if (!entries.some((entry) => entry?.isDirectory)) return plain;
  const files: File[] = [];
  for (const entry of entries) if (entry) await collect(entry, files);
  return files;
}

async function collect(entry: FileSystemEntry, files: File[]): Promise<void> {
  if (files.length >= MAX_FILES) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    Object.defineProperty(file, 'webkitRelativePath', { value: entry.fullPath.slice(1) });
    files.push(file);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // Entries come in batches; an empty one marks the end.
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) return;
    // The files of a model are side by side, so nested folders are skipped.
    for (const each of batch) if (each.isFile) await collect(each, files);
  }
}
