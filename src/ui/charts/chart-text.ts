/** @file The words around a chart. */
export interface ChartText {
  title: string;
  /** Tooltip of the title, such as the metric's name. */
  tooltip?: string | undefined;
  /** One line on what the chart means. */
  meaning?: string | undefined;
}
