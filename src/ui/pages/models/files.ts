/** @file Files that a person chose or dropped, one .gguf or a model's folder, on their way to the engine or the Chat page. */

/** For headings: the .gguf's name or the folder's. */
export function nameOfFiles(files: readonly File[]): string {
  const gguf = files.find(({ name }) => /\.gguf$/i.test(name));
  const folder = files[0]?.webkitRelativePath.split('/')[0];
  return (files.length === 1 ? gguf?.name : undefined) ?? (folder || files[0]?.name || 'files');
}

/** The same files with their paths as names, which is what survives the way to a worker. Nothing is copied. */
export function withPaths(files: readonly File[]): File[] {
  return files.map((file) =>
    file.webkitRelativePath ? new File([file], file.webkitRelativePath, { lastModified: file.lastModified }) : file,
  );
}

let handed: File[] | null = null;

/** Leaves files for the Chat page, to be talked to where they lie. */
export function handOver(files: File[]): void {
  handed = files;
}

/** What was left for the Chat page, once; null when nothing was. */
export function takeOver(): File[] | null {
  const files = handed;
  handed = null;
  return files;
}
