/** @file What the buttons of a run do beyond its session. */
export interface RunActions {
  openSettings: () => void;
  /** Starts the run again from step 0. */
  reset: () => void;
  /** Continues a run that has ended here; null if that isn't possible. */
  trainMore: { steps: number; start: () => void } | null;
}
