/**
 * @file Operations on the tree of a conversation (see src/storage/conversation.ts). Editing a question or regenerating an
 * answer adds a branch, and nothing is ever overwritten. All functions are pure and return a new conversation.
 */
import type { Message } from '../../../../runs/chat-model';
import type { AnswerTurn, Column, Conversation, Turn, UserTurn } from '../../../../storage/conversation';
import { withoutThought } from '../../../../tasks/answer';

/** A question and its shown answers. */
export interface Round {
  user: UserTurn;
  /** All versions of the question, including this one. */
  versions: UserTurn[];
  /** By column; null if the column has no answer. */
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

/** The place of a turn in the tree. Turns with the same slot are versions of each other. */
function slot(turn: Turn): string {
  return turn.role === 'user' ? `u:${turn.parent ?? ''}` : `a:${turn.parent}:${turn.column}`;
}

/** The turns of each conversation by slot. Conversations are never changed, so each is looked through only once. */
const slots = new WeakMap<Conversation['turns'], Map<string, Turn[]>>();

function versionsIn({ turns }: Conversation, key: string): Turn[] {
  let bySlot = slots.get(turns);
  if (!bySlot) {
    bySlot = new Map();
    for (const turn of Object.values(turns)) {
      const versions = bySlot.get(slot(turn));
      if (versions) versions.push(turn);
      else bySlot.set(slot(turn), [turn]);
    }
    slots.set(turns, bySlot);
  }
  return bySlot.get(key) ?? [];
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

/** The shown path, starting at the first question. */
export function rounds(conversation: Conversation): Round[] {
  const path: Round[] = [];
  let parent: string | null = null;
  const count = Object.keys(conversation.turns).length;
  // Bounded, because a file written by hand could contain a cycle.
  while (path.length <= count) {
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

/** Id of the answer that the next question follows; null for the first question. */
export function leafOf(conversation: Conversation): string | null {
  return rounds(conversation).at(-1)?.answers[0]?.turn.id ?? null;
}

/** Adds a turn, or replaces the one with the same id, and shows it. */
export function withTurn(conversation: Conversation, turn: Turn, now = conversation.updated): Conversation {
  return {
    ...conversation,
    updated: now,
    turns: { ...conversation.turns, [turn.id]: turn },
    chosen: { ...conversation.chosen, [slot(turn)]: turn.id },
  };
}

/** Shows the previous (−1) or next (1) version of a turn. Returns the same conversation if there is none. */
export function withVersion(conversation: Conversation, id: string, step: -1 | 1): Conversation {
  const turn = conversation.turns[id];
  if (!turn) return conversation;
  const key = slot(turn);
  const versions = versionsIn(conversation, key);
  const next = versions[versions.indexOf(turn) + step];
  return next ? { ...conversation, chosen: { ...conversation.chosen, [key]: next.id } } : conversation;
}

/** The messages to send for a question. Each column gets its own earlier answers, without their thoughts. */
export function messagesFor(conversation: Conversation, userId: string, column: Column): Message[] {
  // The newest first, to be turned round.
  const messages: Message[] = [];
  const seen = new Set<string>();
  let user = conversation.turns[userId];
  while (user?.role === 'user' && !seen.has(user.id)) {
    seen.add(user.id);
    messages.push({ role: 'user', content: user.text });
    const before = user.parent === null ? undefined : conversation.turns[user.parent];
    if (before?.role !== 'assistant') break;
    const own = column === 0 ? null : shown<AnswerTurn>(conversation, `a:${before.parent}:${column}`);
    messages.push({ role: 'assistant', content: withoutThought((own?.turn ?? before).text) });
    user = conversation.turns[before.parent];
  }
  if (conversation.system.trim() !== '') messages.push({ role: 'system', content: conversation.system });
  return messages.reverse();
}
