/** @file Recognises what dropped files are, by their names and first bytes, so that each goes to the page it belongs to. */
import { messageOf } from '../../../base/errors';
import { unpackModelZip } from '../../../formats/hf/model-zip';
import { PEFT_CONFIG, PEFT_WEIGHTS } from '../../../formats/hf/peft';
import { t } from '../../../i18n';

export type FileKind = 'run' | 'modelZip' | 'model' | 'adapter' | 'dataset' | 'problems' | 'conversations';

export interface RecognisedFiles {
  kind: FileKind;
  /** The file's or the folder's name. */
  name: string;
  files: File[];
}

/** How much of a text file is read to recognise it, in bytes. */
const HEAD_BYTES = 2 ** 20;
/** A zip's list of files is at its end. */
const ZIP_DIRECTORY_BYTES = 2 ** 16;
/** Larger gzip files are refused, in bytes after unpacking: a string in a browser ends at about 2^29 characters. */
const MAX_UNPACKED = 2 ** 29 - 24;

/** @throws Error with a message for the user when the files are nothing that the app can use */
export async function recognise(files: readonly File[]): Promise<RecognisedFiles> {
  const name = nameOf(files);
  const names = new Set(files.map((file) => file.name));
  if (names.has(PEFT_CONFIG)) {
    if (!names.has(PEFT_WEIGHTS)) throw new Error(t('shell:drop.problem.noAdapterWeights', { name }));
    return { kind: 'adapter', name, files: [...files] };
  }
  const gguf = files.filter((file) => /\.gguf$/i.test(file.name));
  if (gguf.length > 1) throw new Error(t('shell:drop.problem.severalModels'));
  if (gguf.length === 1) return { kind: 'model', name: gguf[0]!.name, files: gguf };
  if (names.has('config.json')) {
    if (!files.some((file) => file.name.endsWith('.safetensors'))) {
      throw new Error(t('shell:drop.problem.noWeights', { name }));
    }
    return { kind: 'model', name, files: [...files] };
  }
  const [only] = files;
  if (!only) throw new Error(t('shell:drop.problem.empty'));
  if (files.length > 1) throw new Error(t('shell:drop.problem.several'));
  return recogniseFile(only);
}

async function recogniseFile(file: File): Promise<RecognisedFiles> {
  const { name } = file;
  const magic = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  const startsWith = (...bytes: number[]) => bytes.every((byte, i) => magic[i] === byte);
  if (startsWith(0x47, 0x47, 0x55, 0x46)) return { kind: 'model', name, files: [file] };
  if (startsWith(0x50, 0x4b)) return recogniseZip(file);
  if (startsWith(0x1f, 0x8b)) return recogniseFile(await unpackGzip(file));
  const kind = kindOfText(await file.slice(0, HEAD_BYTES).text());
  if (!kind) throw new Error(t('shell:drop.problem.unknown', { name }));
  return { kind, name, files: [file] };
}

/** A zip of a PEFT folder is unpacked into its files; any other zip is taken for a model. */
async function recogniseZip(file: File): Promise<RecognisedFiles> {
  const directory = await file.slice(-ZIP_DIRECTORY_BYTES).arrayBuffer();
  if (!new TextDecoder('latin1').decode(directory).includes(PEFT_CONFIG)) {
    return { kind: 'modelZip', name: file.name, files: [file] };
  }
  const folder = file.name.replace(/\.zip$/i, '');
  let unpacked: Map<string, Uint8Array<ArrayBuffer>>;
  try {
    unpacked = await unpack(file);
  } catch (error) {
    throw new Error(t('shell:drop.problem.brokenZip', { name: file.name, reason: messageOf(error) }), {
      cause: error,
    });
  }
  const { lastModified } = file;
  return recognise([...unpacked].map(([path, bytes]) => inFolder(folder, new File([bytes], path, { lastModified }))));
}

/** Where it can't stop the page; the code for that is loaded when it is needed. */
async function unpack(file: File): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const { hasWorkers, inDisposableWorker } = await import('../../../worker/disposable');
  if (hasWorkers()) return inDisposableWorker((api) => api.unpackZip(file));
  return unpackModelZip(new Uint8Array(await file.arrayBuffer()));
}

async function unpackGzip(file: File): Promise<File> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = file.stream().pipeThrough(new DecompressionStream('gzip')).getReader();
  for (;;) {
    let read: ReadableStreamReadResult<Uint8Array<ArrayBuffer>>;
    try {
      read = await reader.read();
    } catch (error) {
      const reason = messageOf(error);
      throw new Error(t('shell:drop.problem.unreadable', { name: file.name, reason }), { cause: error });
    }
    if (read.done) return new File(chunks, file.name.replace(/\.gz$/i, ''), { lastModified: file.lastModified });
    size += read.value.length;
    if (size > MAX_UNPACKED) {
      await reader.cancel();
      throw new Error(t('shell:drop.problem.tooLarge', { name: file.name }));
    }
    chunks.push(read.value);
  }
}

/** Conversations are one JSON object; runs, data sets and problems are one JSON object per line. */
function kindOfText(head: string): FileKind | null {
  const text = head.replace(/^\ufeff/, '').trimStart();
  if (/^\{\s*"format"\s*:\s*"tinythink-conversations"/.test(text)) return 'conversations';
  let first: unknown;
  try {
    first = JSON.parse(text.split(/\r?\n/, 1)[0]!);
  } catch {
    return null;
  }
  if (typeof first !== 'object' || first === null || Array.isArray(first)) return null;
  const keys = new Set(Object.keys(first).map((key) => key.toLowerCase()));
  const has = (...wanted: string[]) => wanted.every((key) => keys.has(key));
  if (has('type', 'schema') || has('type', 'step')) return 'run';
  if (has('problem', 'completion') || has('reasoning', 'answer', 'completion')) return 'dataset';
  if (has('answer') && ['problem', 'question', 'prompt'].some((key) => keys.has(key))) return 'problems';
  return null;
}

/** The folder's name, or the only file's. */
function nameOf(files: readonly File[]): string {
  const [first] = files;
  const folder = first?.webkitRelativePath ? first.webkitRelativePath.split('/')[0] : '';
  return folder || first?.name || '';
}

function inFolder(folder: string, file: File): File {
  return Object.defineProperty(file, 'webkitRelativePath', { value: `${folder}/${file.name}` });
}
