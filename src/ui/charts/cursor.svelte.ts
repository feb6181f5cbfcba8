/** @file The step that is pointed at and the step that is shown, shared by all charts of a page. */

export class ChartCursor {
  /** Under the pointer; null when the pointer is elsewhere. */
  hover = $state<number | null>(null);
}

/** What a chart needs to know about the steps, the same for all charts of a page. */
export interface StepAxis {
  /** End of the axis; it begins at 0. */
  end: number;
  /** Last step there is. */
  last: number;
  /** What happened to the run, marked on the larger charts. */
  marks: readonly { step: number; text: string }[];
  /** Step shown by the group view; null when none is. */
  selected: number | null;
  select: (step: number) => void;
  cursor: ChartCursor;
}
