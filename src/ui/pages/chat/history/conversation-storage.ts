/**
 * @file Conversations in IndexedDB: one record each, and beside them a short one for the list and the search, so that
 * neither reads more than it shows.
 */
import { createStore, del, get, set, values } from 'idb-keyval';
import type { UseStore } from 'idb-keyval';
import { describeStorageError, StorageFullError } from '../../../../storage/storage-error';
import { titleOf, type Conversation } from './conversation';
import { parseConversations, serializeConversations } from './conversation-schema';

export interface ConversationEntry {
  id: string;
  title: string;
  updated: number;
  questions: number;
  /** All that was said, in lower case, for the search; cut off where it gets long. */
  words: string;
}

const WORDS = 50_000;

export function entryOf(conversation: Conversation): ConversationEntry {
  const turns = Object.values(conversation.turns);
  return {
    id: conversation.id,
    title: titleOf(conversation),
    updated: conversation.updated,
    questions: turns.filter(({ role }) => role === 'user').length,
    words: [titleOf(conversation), ...turns.map(({ text }) => text)].join('\n').slice(0, WORDS).toLowerCase(),
  };
}

/** The entries that hold every word of a query, in their order. */
export function search(entries: readonly ConversationEntry[], query: string): ConversationEntry[] {
  const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
  return entries.filter(({ words }) => wanted.every((word) => words.includes(word)));
}

export class ConversationStorage {
  readonly #conversations: UseStore;
  readonly #entries: UseStore;

  /** @param name prefix of the databases; tests use their own */
  constructor(name = 'tinythink') {
    // idb-keyval keeps one store a database.
    this.#conversations = createStore(`${name}-conversations`, 'conversations');
    this.#entries = createStore(`${name}-conversation-entries`, 'entries');
  }

  /** Last changed first. @throws Error with a message for the user */
  async list(): Promise<ConversationEntry[]> {
    const entries = await guard(() => values<ConversationEntry>(this.#entries));
    return entries.sort((a, b) => b.updated - a.updated);
  }

  /** @throws Error with a message for the user when it can't be read */
  async get(id: string): Promise<Conversation | undefined> {
    const stored = await guard(() => get<string>(id, this.#conversations));
    return stored === undefined ? undefined : parseConversations(stored)[0];
  }

  /** @throws StorageFullError */
  async save(conversation: Conversation): Promise<void> {
    await guard(async () => {
      // First the conversation: an entry without one would lead nowhere.
      await set(conversation.id, serializeConversations([conversation]), this.#conversations);
      await set(conversation.id, entryOf(conversation), this.#entries);
    });
  }

  async delete(id: string): Promise<void> {
    await guard(async () => {
      await del(id, this.#entries);
      await del(id, this.#conversations);
    });
  }

  async all(): Promise<Conversation[]> {
    const stored = await guard(() => values<string>(this.#conversations));
    return stored.flatMap((each) => parseConversations(each));
  }
}

/** Failures as sentences that speak of conversations. */
async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const described = describeStorageError(error);
    if (described instanceof StorageFullError) {
      throw new StorageFullError(
        "The browser's storage for this site is full, so this conversation is not saved. Export it, or delete models, runs or conversations.",
        { cause: error },
      );
    }
    throw new Error(described.message.replace('Runs are not saved', 'Conversations are not saved'), { cause: error });
  }
}
