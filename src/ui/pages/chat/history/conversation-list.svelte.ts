/** @file The list of saved conversations: search, rename, delete with undo, import. */
import type { Conversation } from '../../../../storage/conversation';
import { messageOf } from '../../../../base/errors';
import { t } from '../../../../i18n';
import { ReportsProblems } from '../../../parts/reports-problems.svelte';
import { PendingRemoval } from '../../../parts/pending-removal.svelte';
import { parseConversations } from '../../../../storage/conversation-schema';
import { search, type ConversationEntry, type ConversationStorage } from '../../../../storage/conversation-storage';

type Storage = Pick<ConversationStorage, 'list' | 'get' | 'save' | 'delete' | 'all'>;

/** Larger files are rejected, in bytes. */
const MAX_FILE = 200_000_000;

export class ConversationList extends ReportsProblems {
  entries = $state.raw<ConversationEntry[]>([]);
  query = $state('');
  readonly removal: PendingRemoval;
  readonly shown = $derived.by(() =>
    search(
      this.entries.filter(({ id }) => id !== this.removal.current?.id),
      this.query,
    ),
  );
  readonly #storage: Storage;

  constructor(storage: Storage) {
    super();
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

  /** Null if it no longer exists or can't be read, which `problem` then says. */
  async open(id: string): Promise<Conversation | null> {
    let found: Conversation | null = null;
    await this.attempt(async () => {
      found = (await this.#storage.get(id)) ?? null;
      if (!found) throw new Error(t('chat:conversations.gone'));
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

  /** Imports the conversations of a file. One that already exists is added as a copy. @returns how many were imported */
  async importFile(file: Pick<File, 'name' | 'size' | 'text'>, newId: () => string = () => crypto.randomUUID()) {
    let count = 0;
    await this.attempt(async () => {
      if (file.size > MAX_FILE) throw new Error(t('chat:conversations.fileTooLarge', { name: file.name }));
      let conversations: Conversation[];
      try {
        conversations = parseConversations(await file.text());
      } catch (error) {
        const reason = messageOf(error);
        throw new Error(t('chat:conversations.fileRejected', { name: file.name, reason }), { cause: error });
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
