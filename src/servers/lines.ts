/** @file The two ways in which servers stream: server-sent events and JSON lines, from bytes cut anywhere. */
import { createParser } from 'eventsource-parser';
import { RemoteError } from './errors';

/** Longer than any event of a model server, in characters. */
export const LONGEST_EVENT = 1_000_000;

/** A piece of a stream; `alive` says only that the server is still there, `cut` that the stream may have ended inside. */
export type StreamEvent =
  { kind: 'data'; data: string; cut?: true } | { kind: 'error'; data: string } | { kind: 'alive' };

const tooLong = (): RemoteError =>
  new RemoteError('protocol', 'The server sent an event of more than a megabyte; no model server does.');

/**
 * Server-sent events. An event that the end of the stream cuts off is left out, as the standard has it.
 * @throws RemoteError when an event is too long, or when nothing in the stream was one
 */
export async function* serverSentEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let ready: StreamEvent[] = [];
  let long = false;
  let foreign = '';
  let known = false;
  const parser = createParser({
    maxBufferSize: LONGEST_EVENT,
    onEvent: ({ data }) => {
      known = true;
      long ||= data.length > LONGEST_EVENT;
      ready.push({ kind: 'data', data });
    },
    onComment: () => {
      known = true;
      ready.push({ kind: 'alive' });
    },
    onError: ({ type, field, value, line }) => {
      if (type === 'max-buffer-size-exceeded') long = true;
      // llama.cpp's older servers have a field of their own for errors.
      else if (field === 'error') ready.push({ kind: 'error', data: value ?? '' });
      else foreign ||= line ?? '';
    },
  });
  for await (const piece of bytes) {
    parser.feed(decoder.decode(piece, { stream: true }));
    if (long) throw tooLong();
    const events = ready;
    ready = [];
    yield* events;
    if (events.length === 0) yield { kind: 'alive' };
  }
  if (!known && foreign !== '') throw new RemoteError('protocol', 'The server sent something that is no event stream.');
}

/**
 * JSON lines. A last line without an end is given too: whole JSON can't be the beginning of other JSON.
 * @throws RemoteError when a line is too long
 */
export async function* jsonLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of bytes) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop()!;
    if (rest.length > LONGEST_EVENT || lines.some((line) => line.length > LONGEST_EVENT)) throw tooLong();
    for (const line of lines) if (line.trim() !== '') yield { kind: 'data', data: line };
    yield { kind: 'alive' };
  }
  rest += decoder.decode();
  if (rest.trim() !== '') yield { kind: 'data', data: rest, cut: true };
}
