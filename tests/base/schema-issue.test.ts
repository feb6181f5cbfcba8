/** @file What a schema finds wrong is said in words: no name of a type, no list of alternatives, nothing of a library. */
import * as v from 'valibot';
import { expect, it } from 'vitest';
import { describeIssue } from '../../src/base/schema-issue';
import { parseEvent } from '../../src/runs/event-schema';

const schema = v.variant('type', [
  v.object({
    type: v.literal('a'),
    name: v.pipe(v.string(), v.maxLength(5)),
    count: v.pipe(v.number(), v.integer(), v.minValue(0)),
    on: v.optional(v.boolean()),
    list: v.optional(v.array(v.number())),
    kind: v.optional(v.picklist(['x', 'y'])),
    own: v.optional(
      v.pipe(
        v.string(),
        v.check((text) => text === 'right', 'own must be right'),
      ),
    ),
  }),
  v.object({ type: v.literal('b') }),
]);
const good = { type: 'a', name: 'n', count: 1 };

it.each<[unknown, string]>([
  [null, 'this is not what is expected here'],
  ['text', 'this is not what is expected here'],
  [[], '“type” is missing'],
  [{}, '“type” is missing'],
  [{ type: 'c' }, '“type” has a value that is not allowed here'],
  [{ type: 7 }, '“type” has a value that is not allowed here'],
  [{ type: 'a', count: 1 }, '“name” is missing'],
  [{ ...good, name: 5 }, '“name” must be text'],
  [{ ...good, name: 'too long' }, '“name” is too large, too small, too long or empty'],
  [{ ...good, count: '1' }, '“count” must be a number'],
  [{ ...good, count: NaN }, '“count” is too large, too small, too long or empty'],
  [{ ...good, count: -1 }, '“count” is too large, too small, too long or empty'],
  [{ ...good, count: 0.5 }, '“count” is too large, too small, too long or empty'],
  [{ ...good, on: 'yes' }, '“on” must be true or false'],
  [{ ...good, list: 1 }, '“list” must be a list'],
  [{ ...good, list: [1, null] }, '“list.1” must be a number'],
  [{ ...good, kind: 'z' }, '“kind” has a value that is not allowed here'],
  [{ ...good, own: 'wrong' }, '“own”: own must be right'],
])('%j: %s', (value, message) => {
  const { success, issues } = v.safeParse(schema, value, { abortEarly: true });
  expect(success).toBe(false);
  expect(describeIssue(issues![0])).toBe(message);
});

it.each([
  {},
  null,
  [],
  5,
  { type: 'nonsense' },
  { type: 'step' },
  { type: 'step', step: 'one' },
  { type: 'finished', step: 1, reason: 'x' },
])('an event %j is refused without a word of the schema’s', (json) => {
  expect(() => parseEvent(json)).toThrow();
  expect(() => parseEvent(json)).not.toThrow(/Invalid|Expected|received|\||undefined|NaN|Object/);
});
