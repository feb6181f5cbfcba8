/**
 * @file When Markdown is rendered: all views of the page together at most once a frame, and for a few milliseconds of it.
 * What is left waits for the next frame, so that many long answers at once keep the page no longer than one.
 */

/** Milliseconds of rendering in a frame. A view begun before they are over finishes its block. */
const SLICE_MS = 12;

export interface Renderable {
  /** Renders until `isLate`, at least one block. @returns whether it is complete */
  render(isLate: () => boolean): boolean;
}

export class RenderQueue {
  readonly #waiting = new Set<Renderable>();
  readonly #requestFrame: (callback: () => void) => void;
  readonly #now: () => number;
  #isRequested = false;

  constructor(
    requestFrame: (callback: () => void) => void = (callback) => requestAnimationFrame(callback),
    now = () => performance.now(),
  ) {
    this.#requestFrame = requestFrame;
    this.#now = now;
  }

  /** Renders a view in the next frame. It takes its turn behind those that wait already. */
  add(view: Renderable): void {
    this.#waiting.add(view);
    if (this.#isRequested) return;
    this.#isRequested = true;
    this.#requestFrame(() => this.#run());
  }

  remove(view: Renderable): void {
    this.#waiting.delete(view);
  }

  #run(): void {
    this.#isRequested = false;
    const end = this.#now() + SLICE_MS;
    const isLate = () => this.#now() >= end;
    for (const view of [...this.#waiting]) {
      this.#waiting.delete(view);
      if (!view.render(isLate)) this.add(view);
      if (isLate()) break;
    }
    const [next] = this.#waiting;
    if (next) this.add(next);
  }
}
