/** @file Files that a person chose or dropped, one .gguf or a model folder, on their way to the engine or the Chat page. */
import { t } from '../../../i18n';

/** A name for headings: that of the .gguf or of the folder. */
export function nameOfFiles(files: readonly File[]): string {
  const gguf = files.find(({ name }) => /\.gguf$/i.test(name));
  const folder = files[0]?.webkitRelativePath.split('/')[0];
  return (files.length === 1 ? gguf?.name : undefined) ?? (folder || files[0]?.name || t('models:files.unnamed'));
}

/** The same files with their paths as names, because a worker gets no paths. Nothing is copied. */
export function withPaths(files: readonly File[]): File[] {
  return files.map((file) =>
    file.webkitRelativePath ? new File([file], file.webkitRelativePath, { lastModified: file.lastModified }) : file,
  );
}
