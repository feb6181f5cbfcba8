/**
 * @file A conversation as a tree. Editing a question or asking again adds a branch beside the old one, and nothing is
 * ever overwritten. All functions are pure: they return a new conversation.
 *
 * A question hangs on the answer before it (null: the beginning). Answers hang on their question, in one or two columns,
 * one for each model that was asked; the next question hangs on the answer of column 0.
 */
import type { Message } from '../../../../runs/chat-model';
import type { AnswerTurn, Column, Conversation, Turn, UserTurn } from '../../../../storage/conversation';
import { withoutThought } from '../../../../tasks/answer';

/** A question and the answers to it that are shown. */
export interface Round {
  user: UserTurn;
  /** All versions of the question, this one among them. */
  versions: UserTurn[];
  /** By column; null where that column wasn't asked. */
  answers: [AnswerView | null, AnswerView | null];
}
export interface AnswerView {
  turn: AnswerTurn;
  /** All answers to the question in this column. */
  versions: AnswerTurn[];
}

export function newConversation(id: string, now: number): Conversation {
  return { id, name: null, created: now, updated: now, system: '', turns: {}, chosen: {} };
}

/** Where a turn stands: turns with the same slot are versions of each other. */
function slot(turn: Turn): string {
  return turn.role === 'user' ? `u:${turn.parent ?? ''}` : `a:${turn.parent}:${turn.column}`;
}

function versionsIn(conversation: Conversation, key: string): Turn[] {
  return Object.values(conversation.turns).filter((turn) => slot(turn) === key);
}

interface Shown<T extends Turn> {
  turn: T;
  versions: T[];
}

function shown<T extends Turn>(conversation: Conversation, key: string): Shown<T> | null {
  const versions = versionsIn(conversation, key) as T[];
  const last = versions.at(-1);
  if (!last) return null;
  return { turn: versions.find(({ id }) => id === conversation.chosen[key]) ?? last, versions };
}

/** The path that is shown, from the first question on. */
export function rounds(conversation: Conversation): Round[] {
  const path: Round[] = [];
  let parent: string | null = null;
  // Bounded: a hand-made import could lead round in a circle.
  while (path.length <= Object.keys(conversation.turns).length) {
    const question: Shown<UserTurn> | null = shown<UserTurn>(conversation, `u:${parent ?? ''}`);
    if (!question) break;
    const { turn: user, versions }: Shown<UserTurn> = question;
    const first: AnswerView | null = shown<AnswerTurn>(conversation, `a:${user.id}:0`);
    path.push({ user, versions, answers: [first, shown<AnswerTurn>(conversation, `a:${user.id}:1`)] });
    if (!first) break;
    parent = first.turn.id;
  }
  return path;
}

/** What the next question hangs on. */
export function leafOf(conversation: Conversation): string | null {
  return rounds(conversation).at(-1)?.answers[0]?.turn.id ?? null;
}

/** Adds a turn, or replaces the one of the same id, and shows it. */
export function withTurn(conversation: Conversation, turn: Turn, now = conversation.updated): Conversation {
  return {
    ...conversation,
    updated: now,
    turns: { ...conversation.turns, [turn.id]: turn },
    chosen: { ...conversation.chosen, [slot(turn)]: turn.id },
  };
}

/** Shows the version before (−1) or after (1) a turn; the same conversation when there is none. */
export function withVersion(conversation: Conversation, id: string, step: -1 | 1): Conversation {
  const turn = conversation.turns[id];
  if (!turn) return conversation;
  const key = slot(turn);
  const versions = versionsIn(conversation, key);
  const next = versions[versions.indexOf(turn) + step];
  return next ? { ...conversation, chosen: { ...conversation.chosen, [key]: next.id } } : conversation;
}

/** What a model is told when it is to answer a question: each column remembers its own answers, without their thoughts. */
export function messagesFor(conversation: Conversation, userId: string, column: Column): Message[] {
  const messages: Message[] = [];
  const seen = new Set<string>();
  let user = conversation.turns[userId];
  while (user?.role === 'user' && !seen.has(user.id)) {
    seen.add(user.id);
    messages.unshift({ role: 'user', content: user.text });
    const before = user.parent === null ? undefined : conversation.turns[user.parent];
    if (before?.role !== 'assistant') break;
    const own = column === 0 ? null : shown<AnswerTurn>(conversation, `a:${before.parent}:${column}`);
    messages.unshift({ role: 'assistant', content: withoutThought((own?.turn ?? before).text) });
    user = conversation.turns[before.parent];
  }
  if (conversation.system.trim() !== '') messages.unshift({ role: 'system', content: conversation.system });
  return messages;
}
