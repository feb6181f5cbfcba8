/**
 * @file Conversations as text, for storage and for files. A file may come from anywhere, so everything in it is checked
 * and has a maximum length.
 */
import * as v from 'valibot';
import { t } from '../i18n';
import type { Conversation, Turn } from './conversation';

const text = (max: number) => v.pipe(v.string(), v.maxLength(max));
const count = v.pipe(v.number(), v.finite(), v.minValue(0));
const id = v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/));
const logprob = v.pipe(v.number(), v.maxValue(1e-3));

/** Characters and tokens of an answer that can be read again. One that is being written has to end there. */
export const MAX_ANSWER_TEXT = 2_000_000;
export const MAX_ANSWER_TOKENS = 200_000;
const QUESTION = 1_000_000;

const settings = v.object({
  temperature: count,
  top_p: count,
  top_k: count,
  min_p: count,
  repetition_penalty: count,
  max_tokens: count,
  seed: count,
});

const context = v.object({ prompt: count, cached: count, length: count, prefill_ms: count });

const user = v.object({
  id,
  role: v.literal('user'),
  parent: v.nullable(id),
  text: text(QUESTION),
  created: count,
  example: v.nullable(
    v.object({
      task: text(100),
      problem: v.object({
        prompt: text(1000),
        answer: text(1000),
        steps: v.pipe(v.array(v.object({ expression: text(1000), value: text(1000) })), v.maxLength(1000)),
      }),
    }),
  ),
});

const token = v.object({
  text: text(10_000),
  logprob: v.nullable(logprob),
  top: v.exactOptional(
    v.pipe(v.array(v.object({ id: v.exactOptional(count), text: text(10_000), logprob })), v.maxLength(20)),
  ),
});

const answer = v.object({
  id,
  role: v.literal('assistant'),
  parent: id,
  column: v.picklist([0, 1]),
  created: count,
  model: v.object({ id: text(500), label: text(500) }),
  settings,
  text: text(MAX_ANSWER_TEXT),
  tokens: v.pipe(v.array(token), v.maxLength(MAX_ANSWER_TOKENS)),
  // An answer that was being written when it was saved ended there.
  status: v.pipe(
    v.picklist(['streaming', 'done', 'length', 'stopped', 'failed']),
    v.transform((status) => (status === 'streaming' ? 'stopped' : status)),
  ),
  error: text(10_000),
  notices: v.pipe(v.array(text(1000)), v.maxLength(20)),
  thought: v.nullable(v.object({ tokens: count, ms: count })),
  stats: v.object({
    tokens: count,
    first_ms: v.nullable(count),
    decode_tokens: count,
    decode_ms: count,
    total_ms: count,
    context: v.nullable(context),
    context_from: count,
  }),
  verdict: v.nullable(v.object({ correct: v.boolean(), formatted: v.boolean(), answer: text(1000) })),
});

const conversation = v.pipe(
  v.object({
    id,
    name: v.nullable(text(200)),
    created: count,
    updated: count,
    system: text(100_000),
    turns: v.pipe(
      v.array(v.variant('role', [user, answer])),
      v.maxLength(20_000),
      v.check((turns) => new Set(turns.map((turn) => turn.id)).size === turns.length, 'two turns have the same id'),
      v.check((turns) => {
        const roles = new Map(turns.map((turn) => [turn.id, turn.role]));
        return turns.every(
          ({ parent, role }) => parent === null || roles.get(parent) === (role === 'user' ? 'assistant' : 'user'),
        );
      }, 'a turn belongs to one that is missing'),
    ),
    chosen: v.record(text(200), id),
  }),
);

const file = v.object({
  format: v.literal('tinythink-conversations'),
  version: v.literal(1),
  conversations: v.pipe(v.array(conversation), v.maxLength(10_000)),
});

export class ConversationFileError extends Error {
  override name = 'ConversationFileError';

  /** @param path the place in the file that is wrong; null where it is the whole */
  constructor(
    message: string,
    readonly path: string | null = null,
  ) {
    super(message);
  }
}

/** The text of each turn. Turns are never changed, and a conversation is saved again whenever one is added. */
const written = new WeakMap<Turn, string>();

function serializeTurn(turn: Turn): string {
  let text = written.get(turn);
  if (text === undefined) written.set(turn, (text = JSON.stringify(turn)));
  return text;
}

/** Conversations as the text of a file. */
export function serializeConversations(conversations: readonly Conversation[]): string {
  const texts = conversations.map(({ turns, ...rest }) => {
    const all = Object.values(turns).map(serializeTurn).join(',');
    return `${JSON.stringify(rest).slice(0, -1)},"turns":[${all}]}`;
  });
  return `{"format":"tinythink-conversations","version":1,"conversations":[${texts.join(',')}]}`;
}

/** Reads what `serializeConversations` wrote. @throws ConversationFileError with a message for the user */
export function parseConversations(json: string): Conversation[] {
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch {
    throw new ConversationFileError(t('storage:conversations.notJson'));
  }
  const result = v.safeParse(file, data);
  if (!result.success) {
    const [issue] = result.issues;
    const path = v.getDotPath(issue);
    throw new ConversationFileError(
      path ? t('storage:conversations.invalidAt', { path }) : t('storage:conversations.invalid'),
      path,
    );
  }
  return result.output.conversations.map(({ turns, ...rest }) => ({
    ...rest,
    turns: Object.fromEntries(turns.map((turn) => [turn.id, turn])),
  }));
}
