/** @file How far a download is, how fast it goes and how long it will take, told a few times a second. */
import type { PinnedFile } from './model-source';
import type { DownloadProgress } from './stored-model';

const EVERY = 200;
/** Milliseconds over which the speed is taken. */
const WINDOW = 5000;

export class ProgressMeter {
  readonly #id: string;
  readonly #total: number;
  readonly #onProgress: (progress: DownloadProgress) => void;
  readonly #now: () => number;
  #phase: DownloadProgress['phase'] = 'downloading';
  #file = '';
  /** Of the files before this one, all bytes. */
  #before = 0;
  #here = 0;
  #size = 0;
  #told = -Infinity;
  /** Times and bytes that came over the network by then, the oldest first. */
  #marks: { time: number; bytes: number }[] = [];
  #came = 0;

  constructor(
    { id, files }: { id: string; files: readonly PinnedFile[] },
    onProgress: (progress: DownloadProgress) => void,
    now: () => number,
  ) {
    this.#id = id;
    this.#total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#onProgress = onProgress;
    this.#now = now;
  }

  /** A file that is stored already. */
  skip(file: PinnedFile): void {
    this.#enter(file);
    this.#here = file.bytes;
    this.#tell(true);
  }

  /** The next file, or after a failed check the same one again. @param stored bytes of it that will be checked first */
  begin(file: PinnedFile, stored: number): void {
    this.#enter(file);
    if (stored > 0) this.#phase = 'checking';
    this.#tell(true);
  }

  /** Bytes of the stored part that were read again. */
  check(bytes: number): void {
    this.#here += bytes;
    this.#tell();
  }

  checked(): void {
    this.#phase = 'downloading';
    this.#tell(true);
  }

  /** Bytes that came. */
  add(bytes: number): void {
    this.#here += bytes;
    this.#came += bytes;
    this.#tell(this.#here === this.#size);
  }

  #enter({ path, bytes }: PinnedFile): void {
    if (this.#file !== path) this.#before += this.#size;
    this.#file = path;
    this.#size = bytes;
    this.#here = 0;
    this.#phase = 'downloading';
  }

  #tell(atOnce = false): void {
    const time = this.#now();
    if (!atOnce && time - this.#told < EVERY) return;
    this.#told = time;
    this.#marks.push({ time, bytes: this.#came });
    while (this.#marks.length > 2 && time - this.#marks[1]!.time >= WINDOW) this.#marks.shift();
    const first = this.#marks[0]!;
    const bytesPerSecond = time > first.time ? (1000 * (this.#came - first.bytes)) / (time - first.time) : 0;
    const bytes = this.#before + this.#here;
    this.#onProgress({
      id: this.#id,
      phase: this.#phase,
      file: this.#file,
      bytes,
      total: this.#total,
      bytesPerSecond,
      secondsLeft: bytesPerSecond > 0 ? (this.#total - bytes) / bytesPerSecond : null,
    });
  }
}
