/** @file Saves conversations one after another; changes that come while one is being saved are saved as one. */
import type { Conversation } from '../../../../storage/conversation';
import { messageOf } from '../../../../base/errors';

export class ConversationSaver {
  /** Why the last save failed; empty if it didn't. */
  problem = $state('');
  #saving: Promise<void> = Promise.resolve();
  // Nothing on the page depends on it.
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  readonly #unsaved = new Map<string, Conversation>();

  constructor(private readonly save: (conversation: Conversation) => Promise<void>) {}

  add(conversation: Conversation): void {
    this.#unsaved.set(conversation.id, conversation);
    this.#saving = this.#saving
      .then(() => this.#saveNewest(conversation.id))
      .then(
        () => void (this.problem = ''),
        (error: unknown) => void (this.problem = messageOf(error)),
      );
  }

  /** Resolves when everything that was added is saved, or has failed. */
  idle(): Promise<void> {
    return this.#saving;
  }

  async #saveNewest(id: string): Promise<void> {
    const newest = this.#unsaved.get(id);
    this.#unsaved.delete(id);
    if (newest) await this.save(newest);
  }
}
