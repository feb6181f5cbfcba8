/** @file The kept conversations beside the one on the page: found, named, deleted with a way back, brought in and out. */
import { messageOf } from '../../../../base/errors';
import { PendingRemoval } from '../../../parts/pending-removal.svelte';
import type { Conversation } from '../../../../storage/conversation';
import { parseConversations } from '../../../../storage/conversation-schema';
import { search, type ConversationEntry, type ConversationStorage } from '../../../../storage/conversation-storage';

type Storage = Pick<ConversationStorage, 'list' | 'get' | 'save' | 'delete' | 'all'>;

/** A file of conversations larger than this is refused, in bytes. */
const MAX_FILE = 200_000_000;

export class ConversationList {
  entries = $state.raw<ConversationEntry[]>([]);
  query = $state('');
  /** What went wrong last; empty when nothing did. */
  problem = $state('');
  readonly removal: PendingRemoval;
  readonly shown = $derived.by(() =>
    search(
      this.entries.filter(({ id }) => id !== this.removal.current?.id),
      this.query,
    ),
  );
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.removal = new PendingRemoval((id) =>
      this.attempt(async () => {
        await storage.delete(id);
        await this.load();
      }),
    );
  }

  load(): Promise<boolean> {
    return this.attempt(async () => void (this.entries = await this.#storage.list()));
  }

  /** Runs something that may fail; reports it and says whether it went well. */
  async attempt(action: () => Promise<void>): Promise<boolean> {
    this.problem = '';
    try {
      await action();
      return true;
    } catch (error) {
      this.problem = messageOf(error);
      return false;
    }
  }

  /** Null when it is gone or can't be read, which is told. */
  async open(id: string): Promise<Conversation | null> {
    let found: Conversation | null = null;
    await this.attempt(async () => {
      found = (await this.#storage.get(id)) ?? null;
      if (!found) throw new Error('This conversation is no longer kept.');
    });
    return found;
  }

  rename(id: string, name: string): Promise<boolean> {
    return this.attempt(async () => {
      const conversation = await this.#storage.get(id);
      if (conversation) await this.#storage.save({ ...conversation, name: name.trim().slice(0, 200) || null });
      await this.load();
    });
  }

  all(): Promise<Conversation[]> {
    return this.#storage.all();
  }

  /** Takes in the conversations of a file; one that is here already comes in beside it. @returns how many */
  async receive(file: Pick<File, 'name' | 'size' | 'text'>, newId: () => string = () => crypto.randomUUID()) {
    let count = 0;
    await this.attempt(async () => {
      if (file.size > MAX_FILE) throw new Error(`${file.name} is too large for a file of conversations.`);
      let conversations: Conversation[];
      try {
        conversations = parseConversations(await file.text());
      } catch (error) {
        throw new Error(`${file.name} can't be imported. ${messageOf(error)}`, {
          cause: error,
        });
      }
      const taken = this.entries.map(({ id }) => id);
      for (const conversation of conversations) {
        await this.#storage.save(taken.includes(conversation.id) ? { ...conversation, id: newId() } : conversation);
        count++;
      }
      await this.load();
    });
    return count;
  }
}
