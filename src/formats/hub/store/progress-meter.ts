/** @file How far a download is, how fast it goes and how long it will take, reported a few times a second. */
import type { PinnedFile } from '../source/model-source';
import type { DownloadProgress } from '../stored-model';

/** Milliseconds between two reports. */
const INTERVAL = 200;
/** Milliseconds over which the speed is measured. */
const WINDOW = 5000;

export class ProgressMeter {
  readonly #id: string;
  readonly #total: number;
  readonly #onProgress: (progress: DownloadProgress) => void;
  readonly #now: () => number;
  #phase: DownloadProgress['phase'] = 'downloading';
  #file = '';
  /** Bytes of all files before this one. */
  #before = 0;
  /** Bytes of this file so far, and in the end. */
  #done = 0;
  #size = 0;
  #reported = -Infinity;
  /** Reports what came since the last report, if nothing more comes to do so. */
  #late: ReturnType<typeof setTimeout> | undefined;
  /** Bytes that came over the network, now and at the times of recent reports, the oldest first. */
  #received = 0;
  #marks: { time: number; bytes: number }[] = [];

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

  /** Passes over a file that is already stored. */
  skip(file: PinnedFile): void {
    this.#enter(file);
    this.#done = file.bytes;
    this.#report(true);
  }

  /** Begins the next file, or the same one again after a failed check. @param stored bytes of it to be checked first */
  begin(file: PinnedFile, stored: number): void {
    this.#enter(file);
    if (stored > 0) this.#phase = 'checking';
    this.#report(true);
  }

  /** Counts stored bytes that were checked. */
  check(bytes: number): void {
    this.#done += bytes;
    this.#report();
  }

  /** Ends the check of what is stored. */
  checked(): void {
    this.#phase = 'downloading';
    this.#report(true);
  }

  /** Counts bytes that were received. */
  add(bytes: number): void {
    this.#done += bytes;
    this.#received += bytes;
    this.#report(this.#done === this.#size);
  }

  /** Reports nothing more. */
  end(): void {
    clearTimeout(this.#late);
  }

  #enter({ path, bytes }: PinnedFile): void {
    if (this.#file !== path) this.#before += this.#size;
    this.#file = path;
    this.#size = bytes;
    this.#done = 0;
    this.#phase = 'downloading';
  }

  #report(atOnce = false): void {
    const time = this.#now();
    if (!atOnce && time - this.#reported < INTERVAL) {
      this.#late ??= setTimeout(() => this.#report(true), INTERVAL);
      return;
    }
    clearTimeout(this.#late);
    this.#late = undefined;
    this.#reported = time;
    this.#marks.push({ time, bytes: this.#received });
    while (this.#marks.length > 2 && time - this.#marks[1]!.time >= WINDOW) this.#marks.shift();
    const first = this.#marks[0]!;
    const bytesPerSecond = time > first.time ? (1000 * (this.#received - first.bytes)) / (time - first.time) : 0;
    const bytes = this.#before + this.#done;
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
