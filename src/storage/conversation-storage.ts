/**
 * @file Saved conversations: each in a record of its own, and beside it a short one for the list and the search, so that
 * neither has to read whole conversations.
 */
import * as v from 'valibot';
import { t } from '../i18n';
import { titleOf, type Conversation, type Turn } from './conversation';
import { ConversationFileError, parseConversations, serializeConversations } from './conversation-schema';
import { Table } from './database';
import { RecordError, recordReader, UnreadableError, type UnreadableRecord } from './records';
import { UnreadableRecords } from './unreadable-records';

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

const entrySchema = v.object({
  id: v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/)),
  title: v.string(),
  updated: v.pipe(v.number(), v.finite()),
  questions: v.number(),
  words: v.string(),
});

/** Conversations are stored as the text of a file with one of them. */
function readConversation(stored: unknown, key: IDBValidKey): Conversation {
  if (typeof stored !== 'string') throw new RecordError(t('storage:unreadable.noRecord'));
  if (/^\{"format":"tinythink-conversations","version":([2-9]|\d\d)/.test(stored)) {
    throw new RecordError(t('storage:unreadable.later'));
  }
  let conversations: Conversation[];
  try {
    conversations = parseConversations(stored);
  } catch (error) {
    const path = error instanceof ConversationFileError ? error.path : null;
    throw new RecordError(path ? t('storage:unreadable.wrongField', { path }) : t('storage:unreadable.noRecord'));
  }
  const [only] = conversations;
  if (!only || only.id !== key) throw new RecordError(t('storage:unreadable.noRecord'));
  return only;
}

export class ConversationStorage {
  readonly #conversations: Table<Conversation>;
  readonly #entries: Table<ConversationEntry>;
  readonly unreadable: UnreadableRecords;

  /** @param name prefix of the databases; tests use their own */
  constructor(name = 'tinythink') {
    this.#conversations = new Table({
      database: `${name}-conversations`,
      store: 'conversations',
      of: 'conversations',
      read: readConversation,
      write: (conversation) => serializeConversations([conversation]),
    });
    this.#entries = new Table({
      database: `${name}-conversation-entries`,
      store: 'entries',
      of: 'conversations',
      read: recordReader(entrySchema, 'id'),
    });
    this.unreadable = new UnreadableRecords({
      of: 'conversations',
      table: this.#conversations,
      find: async () => (await this.#read()).unreadable,
      remove: (id) => this.delete(id),
    });
  }

  /** Most recently changed first. @throws StorageError */
  async list(): Promise<ConversationEntry[]> {
    const { entries } = await this.#read();
    return entries.sort((a, b) => b.updated - a.updated);
  }

  /** @throws UnreadableError */
  get(id: string): Promise<Conversation | undefined> {
    return this.#conversations.get(id);
  }

  /** @throws StorageError */
  async save(conversation: Conversation): Promise<void> {
    // The conversation first, so that no entry of the list is without one.
    await this.#conversations.set(conversation.id, conversation);
    await this.#entries.set(conversation.id, entryOf(conversation));
  }

  async delete(id: IDBValidKey): Promise<void> {
    await this.#entries.delete(id);
    await this.#conversations.delete(id);
  }

  /** All conversations that can be read, and what can't. */
  async all(): Promise<{ conversations: Conversation[]; unreadable: UnreadableRecord[] }> {
    const { readable, unreadable } = await this.#conversations.entries();
    return { conversations: readable.map(({ value }) => value), unreadable };
  }

  /**
   * The entries of the list. One that is missing or damaged is made again from its conversation; only then are whole
   * conversations read, so one that is damaged beside a good entry is found when it is opened.
   */
  async #read(): Promise<{ entries: ConversationEntry[]; unreadable: UnreadableRecord[] }> {
    const found = await this.#entries.entries();
    const ids = new Set<IDBValidKey>(await this.#conversations.keys());
    const entries = found.readable.filter(({ key }) => ids.has(key)).map(({ value }) => value);
    const orphans = found.readable.filter(({ key }) => !ids.has(key));
    const lost = [
      ...orphans.map(({ key, value }) => ({ key, name: value.title })),
      ...found.unreadable.filter(({ key }) => !ids.has(key)),
    ];
    const reason: string = t('storage:unreadable.onlyEntry');
    const unreadable = lost.map(({ key, name }): UnreadableRecord => ({ key, name, reason }));
    for (const { id } of entries) ids.delete(id);
    for (const id of ids) {
      try {
        const entry = entryOf((await this.#conversations.get(id as string))!);
        entries.push(entry);
        // Without space it is made again next time.
        await this.#entries.set(entry.id, entry).catch(() => {});
      } catch (error) {
        if (!(error instanceof UnreadableError)) throw error;
        unreadable.push(error.record);
      }
    }
    return { entries, unreadable };
  }
}
