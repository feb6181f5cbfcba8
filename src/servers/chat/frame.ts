/** @file What one event of a stream says, whatever the server's protocol, and readers that the protocols share. */
import * as v from 'valibot';
import type { Alternative, ServerReport } from '../../runs/chat-model';

export interface FrameToken {
  text: string;
  logprob: number;
  top: Alternative[];
}

export interface Frame {
  reasoning: string;
  content: string;
  /** The tokens of this frame's text, where the server was asked for log-probabilities and gives them. */
  tokens: FrameToken[];
  /** Why the answer ended, as the server spells it; null while it goes on. Text may still follow. */
  finish: string | null;
  report: ServerReport;
  /** What went wrong, in the server's own words, which may be empty; null when nothing did. */
  error: string | null;
  /** Nothing follows this frame. */
  done: boolean;
  /** Kinds of content that were sent and can't be shown as text, such as `image_url`. */
  notShown: string[];
}

/** A frame without text, end or error only shows that the server is alive. */
export const emptyFrame = (): Frame => ({
  reasoning: '',
  content: '',
  tokens: [],
  finish: null,
  report: {},
  error: null,
  done: false,
  notShown: [],
});

export const hasNews = ({ reasoning, content, finish, error, done }: Frame): boolean =>
  reasoning !== '' || content !== '' || finish !== null || error !== null || done;

/** A field that isn't worth an error: a value of another type counts as missing. */
export const lenient = <T extends v.GenericSchema>(schema: T) => v.fallback(v.nullish(schema), undefined);

/** A finite number that isn't negative. */
export const count = v.pipe(v.number(), v.finite(), v.minValue(0));

const alternative = v.object({ token: v.string(), logprob: v.number() });
export const tokenLogprob = v.object({ ...alternative.entries, top_logprobs: lenient(v.array(alternative)) });

/** vLLM and llama.cpp send a large negative number for impossible tokens, since JSON has no infinity. */
export function frameToken({ token: text, logprob, top_logprobs }: v.InferOutput<typeof tokenLogprob>): FrameToken {
  const top = (top_logprobs ?? []).map((each): Alternative => ({ text: each.token, logprob: each.logprob }));
  return { text, logprob, top: top.sort((a, b) => b.logprob - a.logprob) };
}

/** The report's numbers that the server gave. */
export function reportOf(values: Record<keyof ServerReport, number | null | undefined>): ServerReport {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value != null));
}
