/** @file Options that everything which reads from a web server takes. */

export interface HttpOptions {
  fetch?: typeof fetch;
  /** Called with a sentence for the user when something takes longer: a retry, or a server without byte ranges. */
  onNotice?: (notice: string) => void;
  /** Milliseconds before the first retry. Each further retry waits twice as long. */
  backoff?: number;
  /** Milliseconds without a byte after which a connection counts as broken. */
  timeout?: number;
}
