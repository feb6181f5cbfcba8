/** @file A trainer that trains nothing: it replays a run's events, at a pace, step by step, or from any step. */
import type { RunEvent } from './events';
import { effectiveEvents } from './history';
import type { RunObserver, Trainer } from './trainer';

export interface RecordingOptions {
  /** Milliseconds between two steps. */
  pace?: number;
  /** The trained model, when it was kept. */
  exportModel?: () => Promise<Map<string, Uint8Array>>;
}

export class RecordedTrainer implements Trainer {
  /** Frame 0 is what comes before the first step; each other frame is a step and what follows it. */
  readonly #frames: RunEvent[][] = [[]];
  #next = 0;
  #pace: number;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #observer: RunObserver | null = null;
  #ended = false;
  readonly #exportModel: RecordingOptions['exportModel'];

  /** @throws Error when the events are no run, that is, don't begin with `started` */
  constructor(events: readonly RunEvent[], options: RecordingOptions = {}) {
    if (events[0]?.type !== 'started') throw new Error('this recording does not begin with the start of a run');
    for (const event of effectiveEvents(events)) {
      if (event.type === 'step') this.#frames.push([]);
      this.#frames.at(-1)!.push(event.type === 'started' ? asRecording(event) : event);
    }
    this.#pace = options.pace ?? 500;
    this.#exportModel = options.exportModel;
  }

  /** Steps in the recording; `seek` goes from 0 to here. */
  get steps(): number {
    return this.#frames.length - 1;
  }

  start(_config: unknown, observer: RunObserver): Promise<void> {
    if (this.#observer) return Promise.reject(new Error('this recording is already playing'));
    this.#observer = observer;
    this.#play();
    return Promise.resolve();
  }

  resume(): void {
    if (this.#timer || this.#ended || !this.#observer) return;
    const tick = () => {
      this.#timer = null;
      this.#play();
      if (this.#next < this.#frames.length && !this.#ended) this.#timer = setTimeout(tick, this.#pace);
    };
    this.#timer = setTimeout(tick, this.#pace);
  }

  pause(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    return Promise.resolve();
  }

  step(): Promise<void> {
    if (!this.#ended) this.#play();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    await this.pause();
    if (this.#ended || !this.#observer) return;
    this.#ended = true;
    this.#observer.event({ type: 'finished', step: Math.max(0, this.#next - 1), reason: 'stopped' });
  }

  update(): Promise<void> {
    return Promise.reject(new Error('A recording is what it was: start a run of your own to change its settings.'));
  }

  exportModel(): Promise<Map<string, Uint8Array>> {
    if (this.#exportModel) return this.#exportModel();
    return Promise.reject(new Error('The weights of this recording were not kept.'));
  }

  /** Milliseconds between two steps from now on. */
  setPace(pace: number): void {
    this.#pace = pace;
    if (!this.#timer) return;
    void this.pause();
    this.resume();
  }

  /**
   * Sends the run as it stood after a step, again from its start. Who goes back clears what was shown first: to a stream
   * of events, a second `started` of the same run is a run that goes on.
   */
  seek(step: number): void {
    if (!this.#observer) return;
    this.#ended = false;
    this.#next = 0;
    const target = Math.min(Math.max(0, Math.round(step)), this.steps);
    while (this.#next <= target) this.#play();
  }

  /** Sends one frame. */
  #play(): void {
    const frame = this.#frames[this.#next];
    if (!frame) return;
    this.#next++;
    for (const event of frame) {
      if (event.type === 'finished' || event.type === 'failed') this.#ended = true;
      this.#observer!.event(event);
    }
    // A recording without an ending is of a run that broke off: nothing more will come.
    if (this.#next === this.#frames.length) this.#ended = true;
  }
}

function asRecording(event: RunEvent & { type: 'started' }): RunEvent {
  return { ...event, device: { kind: 'recording', description: event.device.description } };
}
