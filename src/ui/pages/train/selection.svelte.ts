/** @file Which step, prompt and completion the group view shows. It follows the run until the user picks a step. */

/** Minimum time between two changes of the group while following, in ms. Nobody can read faster. */
const FOLLOW_INTERVAL = 400;

export class Selection {
  /** The step that the user picked; null while following the run. */
  pinned = $state<number | null>(null);
  /** Index into the step's groups. */
  prompt = $state(0);
  /** Index into the group's completions; null for the one with the highest advantage. */
  completion = $state<number | null>(null);
  #followed = $state(0);
  #latest = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** The step to show; 0 before the first step. */
  get step(): number {
    return this.pinned ?? this.#followed;
  }

  get following(): boolean {
    return this.pinned === null;
  }

  /** Sets the latest step of the run. */
  latest(step: number): void {
    const back = step < this.#latest;
    this.#latest = step;
    if (back) {
      // This is another run, or the run went back to a checkpoint.
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
