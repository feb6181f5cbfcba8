/**
 * @file Saved conversations: each in a record of its own, and beside it a short one for the list and the search, so that
 * neither has to read whole conversations.
 */
import { titleOf, type Conversation, type Turn } from './conversation';
import { Table } from './database';
import { parseConversations, serializeConversations } from './conversation-schema';

export interface ConversationEntry {
  id: string;
  title: string;
  updated: number;
  questions: number;
  /** The title and all texts in lower case, for the search; cut off after WORDS characters. */
  words: string;
}

/** Characters of a conversation that the search looks at. */
const WORDS = 50_000;

export function entryOf(conversation: Conversation): ConversationEntry {
  const turns = Object.values(conversation.turns);
  return {
    id: conversation.id,
    title: titleOf(conversation),
    updated: conversation.updated,
    questions: turns.filter(({ role }) => role === 'user').length,
    words: wordsOf(conversation, turns).toLowerCase(),
  };
}

/** No more is put together than is kept. */
function wordsOf(conversation: Conversation, turns: readonly Turn[]): string {
  let words = titleOf(conversation);
  for (const { text } of turns) {
    if (words.length >= WORDS) break;
    words += `\n${text.slice(0, WORDS)}`;
  }
  return words.slice(0, WORDS);
}

/** The entries that contain every word of a query, in the same order. */
export function search(entries: readonly ConversationEntry[], query: string): ConversationEntry[] {
  const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
  return entries.filter(({ words }) => wanted.every((word) => words.includes(word)));
}

export class ConversationStorage {
  readonly #conversations: Table<string>;
  readonly #entries: Table<ConversationEntry>;

  /** @param name prefix of the databases; tests use their own */
  constructor(name = 'tinythink') {
    this.#conversations = new Table({ database: `${name}-conversations`, store: 'conversations', of: 'conversations' });
    this.#entries = new Table({ database: `${name}-conversation-entries`, store: 'entries', of: 'conversations' });
  }

  /** Most recently changed first. @throws StorageError */
  async list(): Promise<ConversationEntry[]> {
    const entries = await this.#entries.values();
    return entries.sort((a, b) => b.updated - a.updated);
  }

  /** @throws ConversationFileError when it can't be read */
  async get(id: string): Promise<Conversation | undefined> {
    const stored = await this.#conversations.get(id);
    return stored === undefined ? undefined : parseConversations(stored)[0];
  }

  /** @throws StorageError */
  async save(conversation: Conversation): Promise<void> {
    // The conversation first, so that no entry of the list is without one.
    await this.#conversations.set(conversation.id, serializeConversations([conversation]));
    await this.#entries.set(conversation.id, entryOf(conversation));
  }

  async delete(id: string): Promise<void> {
    await this.#entries.delete(id);
    await this.#conversations.delete(id);
  }

  async all(): Promise<Conversation[]> {
    const stored = await this.#conversations.values();
    return stored.flatMap((each) => parseConversations(each));
  }
}
