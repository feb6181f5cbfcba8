/** @file Which step, prompt and completion the group view shows. It follows the run until the reader picks a step. */

/** While following, the group changes at most this often (ms): faster can't be read. */
const FOLLOW_INTERVAL = 400;

export class Selection {
  /** A step the reader picked; null while following the run. */
  pinned = $state<number | null>(null);
  /** Index into the step's groups. */
  prompt = $state(0);
  /** Index into the group's completions; null = the one with the highest advantage. */
  completion = $state<number | null>(null);
  #followed = $state(0);
  #latest = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** The step to show; 0 before the first. */
  get step(): number {
    return this.pinned ?? this.#followed;
  }

  get following(): boolean {
    return this.pinned === null;
  }

  /** Tells the selection how far the run is. */
  latest(step: number): void {
    const back = step < this.#latest;
    this.#latest = step;
    if (back) {
      // Another run, or one that went back to a checkpoint.
      if (this.pinned !== null && this.pinned > step) this.pinned = null;
      this.#followed = step;
    } else if (this.#timer === undefined && step !== this.#followed) {
      this.#followed = step;
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#followed = this.#latest;
      }, FOLLOW_INTERVAL);
    }
  }

  pin(step: number): void {
    this.pinned = step;
  }

  follow(): void {
    this.pinned = null;
    this.#followed = this.#latest;
  }

  choosePrompt(index: number): void {
    this.prompt = index;
    this.completion = null;
  }
}
