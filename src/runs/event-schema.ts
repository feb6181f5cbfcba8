/**
 * @file Run events as JSON lines, out and in. What comes in is hostile: every size is bounded, every number is one, and
 * a line that is no event is reported with its number. JSON has no NaN, and a diverged run does: as in JavaScript's own
 * JSON, numbers that aren't finite are written as null, and null reads as NaN where a measurement is expected.
 */
import { readJsonLines, writeJsonLines } from '../base/json-lines';
import { messageOf } from '../base/errors';
import { describeIssue } from '../base/schema-issue';
import * as v from 'valibot';
import { COMPLETION_STYLES } from '../tasks/answer';
import { checkConfig } from './config';
import { SCHEMA_VERSION } from './events';
import { upgradeConfig, upgradeModel, upgradeRewards } from './upgrade';
import type { RunConfig, RunEvent } from './events';

/** A file that is not a run; the message names the line. */
export class EventsError extends Error {
  override name = 'EventsError';
}

const MAX_TOKENS = 8192;
const MAX_GROUPS = 1024;
const MAX_METRICS = 500;
const MAX_REWARDS = 100;
const MAX_EVENTS = 1_000_000;

const text = (length: number) => v.pipe(v.string(), v.maxLength(length));
const step = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1e9));
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(100));
// JSON has no infinity, but 1e999 reads as one.
const number = v.pipe(v.number(), v.finite());
const measurement = v.pipe(
  v.nullable(number),
  v.transform((value) => value ?? NaN),
);
const metrics = v.pipe(
  v.record(name, measurement),
  v.check((record) => Object.keys(record).length <= MAX_METRICS, `more than ${MAX_METRICS} metrics`),
);

// A run has millions of tokens: these walk a list at once where a schema for each item would take seconds.
const integers = list<number>('token ids', (item) => Number.isSafeInteger(item) && (item as number) >= 0);
const texts = list<string>('texts', (item) => typeof item === 'string' && item.length <= 1000);
const logprobs = v.pipe(
  list<number | null>('numbers', (item) => item === null || Number.isFinite(item)),
  v.transform((items) => items.map((item) => item ?? NaN)),
);

function list<T>(what: string, fits: (item: unknown) => boolean) {
  return v.custom<T[]>(
    (value) => Array.isArray(value) && value.length <= MAX_TOKENS && value.every(fits),
    `not a list of at most ${MAX_TOKENS} ${what}`,
  );
}

const completion = v.pipe(
  v.object({
    text: text(100_000),
    token_ids: integers,
    tokens: texts,
    logprobs,
    logprobs_after: v.exactOptional(logprobs),
    rewards: v.record(name, v.nullable(number)),
    reward: measurement,
    advantage: measurement,
    truncated: v.boolean(),
    style: v.picklist(COMPLETION_STYLES),
  }),
  v.check(({ token_ids, tokens, logprobs, logprobs_after }) => {
    const lists = [tokens, logprobs, logprobs_after ?? token_ids];
    return lists.every((each) => each.length === token_ids.length);
  }, 'tokens, token_ids and logprobs differ in length'),
);
const group = v.object({
  prompt: text(10_000),
  answer: text(10_000),
  mean: measurement,
  std: measurement,
  completions: v.pipe(v.array(completion), v.maxLength(MAX_GROUPS)),
});
/** A run's config from anywhere, as long as it could run. */
export const runConfig = v.pipe(
  v.unknown(),
  v.transform(upgradeConfig),
  v.custom<RunConfig>((value) => checkConfig(value as RunConfig).length === 0, 'the config could not run'),
);
const change = v.pipe(
  v.looseObject({}),
  v.transform(upgradeRewards),
  v.object({
    learning_rate: v.exactOptional(number),
    temperature: v.exactOptional(number),
    reward_funcs: v.exactOptional(v.pipe(v.array(name), v.maxLength(MAX_REWARDS))),
    reward_weights: v.exactOptional(v.pipe(v.array(number), v.maxLength(MAX_REWARDS))),
  }),
);
const sample = v.object({ prompt: text(10_000), answer: text(10_000), text: text(100_000), correct: v.boolean() });

/** What a run says of its model and of where it was made. */
export const runModel = v.object({
  name: text(200),
  parameters: v.pipe(v.number(), v.minValue(0)),
  architecture: text(100),
  reads_language: v.optional(v.boolean()),
});
export const runDevice = v.object({ kind: v.picklist(['webgpu', 'trl', 'recording']), description: text(1000) });
export const runId = v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/, 'not a run id'));

const started = v.object({
  type: v.literal('started'),
  schema: v.literal(SCHEMA_VERSION),
  run_id: runId,
  time: v.pipe(v.string(), v.isoTimestamp()),
  config: runConfig,
  model: runModel,
  device: runDevice,
  seed: number,
});

const event = v.variant('type', [
  v.pipe(
    started,
    v.transform((read) => ({ ...read, model: upgradeModel(read.model, read.config) })),
  ),
  v.object({
    type: v.literal('step'),
    step,
    metrics,
    groups: v.pipe(v.array(group), v.maxLength(MAX_GROUPS)),
    timings: metrics,
  }),
  v.object({
    type: v.literal('eval'),
    step,
    phase: v.exactOptional(v.literal('before_cold_start')),
    metrics,
    samples: v.exactOptional(v.pipe(v.array(sample), v.maxLength(MAX_GROUPS))),
  }),
  v.object({ type: v.literal('checkpoint'), step, reference: text(200) }),
  v.object({ type: v.literal('changed'), step, change }),
  v.object({ type: v.literal('interrupted'), step, reason: text(2000), resumes_from: step }),
  v.object({ type: v.literal('finished'), step, reason: v.picklist(['max_steps', 'stopped']) }),
  v.object({ type: v.literal('failed'), step, reason: text(2000) }),
]);

/**
 * One event from parsed JSON. Keys that the schema doesn't know are left out.
 * @throws EventsError saying where in the event the trouble is
 */
export function parseEvent(json: unknown): RunEvent {
  const result = v.safeParse(event, json, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  if (typeof json === 'object' && json !== null && 'schema' in json && json.schema !== SCHEMA_VERSION) {
    throw new EventsError(
      `schema ${JSON.stringify(json.schema)} is not readable; this version reads ${SCHEMA_VERSION}`,
    );
  }
  throw new EventsError(describeIssue(issue));
}

/**
 * A run from JSON lines: it starts with `started`, has only one run's events, and its steps follow each other. A last line
 * that was cut short, as by a crash while it was written, is left out.
 * @param anyOrder reads what this device stored itself, where two tabs may have written the same run
 * @throws EventsError naming the line
 */
export function parseEvents(jsonl: string, { anyOrder = false } = {}): RunEvent[] {
  const events: RunEvent[] = [];
  let step = 0;
  const lines = [...readJsonLines(jsonl)];
  const last = lines.at(-1);
  if (lines.length > 1 && last!.value === undefined && !jsonl.endsWith('\n')) lines.pop();
  if (lines.length > MAX_EVENTS) throw new EventsError(`more than ${MAX_EVENTS} events`);
  for (const { number, value } of lines) {
    if (value === undefined) throw new EventsError(`line ${number} is not JSON`);
    try {
      const event = parseEvent(value);
      if (!anyOrder) step = stepAfter(step, event);
      events.push(event);
    } catch (error) {
      throw new EventsError(`line ${number}: ${messageOf(error)}`, { cause: error });
    }
  }
  const [first] = events;
  if (first?.type !== 'started') throw new EventsError('this is not a run: its first line is no started event');
  if (events.some((each) => each.type === 'started' && each.run_id !== first.run_id)) {
    throw new EventsError('the file holds more than one run');
  }
  return events;
}

/**
 * The last step once an event has come. A run that was resumed or interrupted may make steps again; otherwise each step
 * comes after the one before, and what else is said of a step comes after it too.
 * @throws EventsError when the event is out of order
 */
function stepAfter(last: number, event: RunEvent): number {
  if (event.type === 'started') return 0;
  if (event.type === 'interrupted') {
    if (event.resumes_from > event.step) {
      throw new EventsError(`the run was interrupted at step ${event.step} and can't go on from ${event.resumes_from}`);
    }
    return event.resumes_from;
  }
  if (event.type === 'step' ? event.step <= last : event.step < last) {
    throw new EventsError(`step ${event.step} comes after step ${last}`);
  }
  return event.type === 'step' ? event.step : last;
}

/** A run as JSON lines. */
export const serializeEvents = (events: Iterable<RunEvent>): string => writeJsonLines(events);
