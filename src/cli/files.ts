/** @file The headless runner's disk: model folders in and out, and files of JSON lines that survive an interruption. */
import { writeJsonLines } from '../base/json-lines';
import { mkdir, open, rename, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, resolve, sep } from 'node:path';

const code = (error: unknown) => (error as NodeJS.ErrnoException | undefined)?.code;

/** `path` inside `folder`. @throws when it would lead out of it: shard names come from the folder's own index file. */
export function inside(folder: string, path: string): string {
  const normal = normalize(path);
  if (isAbsolute(normal) || normal === '..' || normal.startsWith(`..${sep}`)) {
    throw new Error(`'${path}' leads out of the folder ${folder}`);
  }
  return join(folder, normal);
}

/** Writes a file as a whole or not at all: an interruption leaves the old one. Makes the folders it needs. */
export async function writeWhole(path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(dirname(resolve(path)), { recursive: true });
  const draft = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(draft, bytes);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    const reason = code(error) === 'ENOSPC' ? 'the disk is full' : (error as Error).message;
    throw new Error(`could not write ${path}: ${reason}`, { cause: error });
  }
}

/** Writes the files of a model folder, config last: a folder with a config is complete. */
export async function writeFolder(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const isConfig = (path: string) => (path === 'config.json' ? 1 : 0);
  const ordered = [...files].sort(([a], [b]) => isConfig(a) - isConfig(b));
  for (const [path, bytes] of ordered) await writeWhole(inside(folder, path), bytes);
}

/** Appends values to a file, one JSON value a line, in the order of the calls. */
export class JsonLines {
  private queue: Promise<void> = Promise.resolve();
  private failure: Error | null = null;

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  /** @param keep how much of a file that is there stays: all of it, to go on with an interrupted run, or nothing. */
  static async open(path: string, keep: 'all' | 'nothing'): Promise<JsonLines> {
    await mkdir(dirname(resolve(path)), { recursive: true });
    return new JsonLines(path, await open(path, keep === 'all' ? 'a' : 'w'));
  }

  /** Queues a line. A failure is reported by the next `flush` or `close`. */
  write(value: unknown): void {
    const line = writeJsonLines([value]);
    this.queue = this.queue
      .then(() => this.handle.appendFile(line))
      .catch((error: Error) => {
        this.failure ??= new Error(`could not write ${this.path}: ${error.message}`, { cause: error });
      });
  }

  /** Resolves when every line so far is in the file. @throws the first failure */
  async flush(): Promise<void> {
    await this.queue;
    if (this.failure) throw this.failure;
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.handle.close();
    }
  }
}
