/** @file What goes wrong between this page and a server: a code for the program, and a message for the user. */

export type RemoteErrorCode =
  /** Not an address that can be requested, or not a key that can be sent. */
  | 'address'
  /** No answer at all. The browser's own rules look the same to a page; diagnose.ts tells them apart. */
  | 'unreachable'
  /** It redirects to another address, to which neither the prompt nor the key is sent. */
  | 'redirect'
  | 'auth'
  | 'payment'
  /** Nothing is found at this path. */
  | 'path'
  | 'model'
  /** The server refuses this request: it is too long, or a setting is out of range. */
  | 'request'
  | 'rate'
  | 'overloaded'
  | 'server'
  /** A web page where an answer was expected. */
  | 'html'
  /** Not what this kind of server sends. */
  | 'protocol'
  /** The answer was cut off, so that what came is not all of it. */
  | 'truncated'
  /** The server was silent for too long. */
  | 'stalled'
  | 'filtered'
  /** This kind of server can't do that. */
  | 'unsupported';

/** A problem that a server refuses a setting for. */
export interface FieldProblem {
  /** The path of the setting, such as `config.max_steps`; empty when no single setting is to blame. */
  field: string;
  message: string;
}

/** The message never contains a key. No cause is attached, because what a server or a browser throws may contain one. */
export class RemoteError extends Error {
  override name = 'RemoteError';

  constructor(
    readonly code: RemoteErrorCode,
    message: string,
    /** The HTTP status, where there was a response. */
    readonly status?: number,
    /** The settings that the server refuses, where it names them. */
    readonly fields: readonly FieldProblem[] = [],
  ) {
    super(message);
  }
}

const LONGEST = 300;

/** Text from a server as a part of a message: one short line without control characters. */
export function quoted(text: string): string {
  const line = text
    .slice(0, 20 * LONGEST)
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim();
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1).trimEnd()}…` : line;
}
