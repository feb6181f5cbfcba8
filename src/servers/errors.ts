/** @file What goes wrong between this page and a server, as one sentence for the user. */

export type RemoteErrorCode =
  /** Not an address that can be asked, or not a key that can be sent. */
  | 'address'
  /** No answer at all. In a browser that may as well be a rule of the browser: diagnose.ts tells them apart. */
  | 'unreachable'
  /** It answers from elsewhere, where neither prompt nor key are sent. */
  | 'redirect'
  | 'auth'
  | 'payment'
  /** There is nothing at this path. */
  | 'path'
  | 'model'
  /** The server doesn't take this request: too long, a setting out of range. */
  | 'request'
  | 'rate'
  | 'overloaded'
  | 'server'
  /** A web page where an answer was expected. */
  | 'html'
  /** Not what this kind of server sends. */
  | 'protocol'
  /** The answer broke off. What came of it is not the whole. */
  | 'truncated'
  /** Silence for too long. */
  | 'stalled'
  | 'filtered'
  /** This kind of server can't do that. */
  | 'unsupported';

/**
 * Its message never holds a key, and nothing is attached as a cause: what a server or a browser throws may hold one.
 */
export class RemoteError extends Error {
  override name = 'RemoteError';

  constructor(
    readonly code: RemoteErrorCode,
    message: string,
    /** Of the HTTP answer, where there was one. */
    readonly status?: number,
  ) {
    super(message);
  }
}

const LONGEST = 300;

/** Text from a server as a part of a message: one line, no control characters, not long. */
export function quoted(text: string): string {
  // Only so much of a huge text is looked at.
  const line = text
    .slice(0, 20 * LONGEST)
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim();
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1).trimEnd()}…` : line;
}
