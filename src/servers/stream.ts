/**
 * @file The two ways in which servers stream, from bytes that may be cut anywhere: server-sent events and JSON lines.
 * The chat of every model server and the events of a training server are read here.
 */
import { createParser } from 'eventsource-parser';
import { Turns } from '../base/turns';
import { t } from '../i18n';
import { RemoteError } from './errors';

/** Longer than any event of a model server, in characters. */
export const MAX_EVENT = 1_000_000;

export type StreamEvent =
  /**
   * `event` and `id` are those of a server-sent event, where it has them. `cut`: the stream ended here without the end of
   * a line, so that this may be only the beginning of an event.
   */
  | { kind: 'data'; data: string; event?: string; id?: string; cut?: true }
  /** The field `error` that older versions of llama.cpp send. */
  | { kind: 'error'; data: string }
  /** The server is still there. */
  | { kind: 'alive' }
  /** The stream ended, and nothing in it was an event. `text` is its beginning. */
  | { kind: 'foreign'; text: string };

const tooLong = (): RemoteError => new RemoteError('protocol', t('servers:stream.tooLong'));

/**
 * Reads server-sent events. As the standard has it, an event that the end of the stream cuts off is left out.
 * @param maxEvent in characters
 * @throws RemoteError when an event is longer
 */
export async function* serverSentEvents(
  bytes: AsyncIterable<Uint8Array>,
  maxEvent = MAX_EVENT,
): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let ready: StreamEvent[] = [];
  let isTooLong = false;
  let foreign = '';
  let isKnown = false;
  let start = '';
  const parser = createParser({
    maxBufferSize: maxEvent,
    onEvent: ({ data, event, id }) => {
      isKnown = true;
      isTooLong ||= data.length > maxEvent;
      ready.push({ kind: 'data', data, ...(event !== undefined && { event }), ...(id !== undefined && { id }) });
    },
    onComment: () => {
      isKnown = true;
      ready.push({ kind: 'alive' });
    },
    onError: ({ type, field, value, line }) => {
      if (type === 'max-buffer-size-exceeded') isTooLong = true;
      else if (field === 'error') ready.push({ kind: 'error', data: value ?? '' });
      else foreign ||= line ?? '';
    },
  });
  for await (const piece of bytes) {
    const text = decoder.decode(piece, { stream: true });
    if (start.length < 100) start += text.trimStart();
    parser.feed(text);
    if (isTooLong) throw tooLong();
    const events = ready;
    ready = [];
    yield* events;
    if (events.length === 0) yield { kind: 'alive' };
  }
  // A web page may have no line end at all, so that the parser never saw a line.
  if (!isKnown && (foreign !== '' || start.startsWith('<'))) yield { kind: 'foreign', text: foreign || start };
}

/**
 * Reads JSON, one value per line. When the first line isn't whole JSON, all of it is one value, as servers send that don't
 * stream. A last line without an end is given too, since the beginning of a JSON object is never JSON itself.
 * @throws RemoteError when a value is too long
 */
export async function* jsonLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let isFirst = true;
  let isOneValue = false;
  for await (const piece of bytes) {
    rest += decoder.decode(piece, { stream: true });
    if (!isOneValue) {
      const lines = rest.split('\n');
      rest = lines.pop()!;
      for (const [i, line] of lines.entries()) {
        if (line.length > MAX_EVENT) throw tooLong();
        if (line.trim() === '') continue;
        if (isFirst && parseJson(line) === undefined) {
          isOneValue = true;
          rest = [...lines.slice(i), rest].join('\n');
          break;
        }
        isFirst = false;
        yield { kind: 'data', data: line };
      }
    }
    if (rest.length > MAX_EVENT) throw tooLong();
    yield { kind: 'alive' };
  }
  rest += decoder.decode();
  if (rest.trim() !== '') yield { kind: 'data', data: rest, cut: true };
}

/**
 * Reads either, whatever the content type says: proxies change it, and some servers don't stream. JSON begins with a
 * bracket, and no line of server-sent events does. However fast the events come, the event loop gets its turns, and a
 * server waits for its reader: nothing more is read while an event is being worked on.
 */
export async function* streamEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const pieces = bytes[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  let first = '';
  try {
    while (first === '') {
      const { done, value } = await pieces.next();
      if (done) break;
      held.push(value);
      // Only ASCII decides; the byte order mark before it counts as space.
      first = String.fromCharCode(
        ...value.filter((byte) => byte > 32 && ![0xef, 0xbb, 0xbf].includes(byte)).slice(0, 1),
      );
      if (first === '') yield { kind: 'alive' };
    }
    const all = (async function* () {
      yield* held;
      for (let next = await pieces.next(); !next.done; next = await pieces.next()) yield next.value;
    })();
    const turns = new Turns();
    for await (const event of first === '{' || first === '[' ? jsonLines(all) : serverSentEvents(all)) {
      yield event;
      if (turns.isDue) await turns.next();
    }
  } finally {
    await pieces.return?.();
  }
}

/** The parsed text; undefined when it isn't JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
