/** @file The step axis that all charts of a page share: its extent, the step under the pointer and the selected step. */

export class ChartCursor {
  /** The step under the pointer; null if the pointer is not on a chart. */
  hover = $state<number | null>(null);
}

/** The step axis of a chart. */
export interface StepAxis {
  /** The last step on the axis, which begins at 0. */
  end: number;
  /** The latest step of the run. */
  last: number;
  /** Events between steps, marked on the larger charts. */
  marks: readonly { step: number; text: string }[];
  /** The step that the group view shows; null for none. */
  selected: number | null;
  select: (step: number) => void;
  cursor: ChartCursor;
}
