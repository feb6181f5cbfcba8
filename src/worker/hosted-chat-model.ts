/** @file A chat model of the worker as the page is given it: one answer at a time, none once it is closed. */
import type { OpenChatModel } from '../runs/chat-model';

/** Plain properties, since a class's private fields don't cross to the page. */
export function hostedChatModel(chat: OpenChatModel, onClose: () => void = () => {}): OpenChatModel {
  let closed = false;
  let answering = false;
  return {
    name: chat.name,
    ...(chat.sampling && { sampling: chat.sampling }),
    ...(chat.readsLanguage !== undefined && { readsLanguage: chat.readsLanguage }),
    async *generate(request, signal) {
      if (closed) throw new Error('This model has been closed.');
      if (answering) throw new Error('This model is still answering.');
      answering = true;
      try {
        yield* chat.generate(request, signal);
      } finally {
        answering = false;
      }
    },
    close() {
      if (closed) return;
      closed = true;
      onClose();
      chat.close();
    },
  };
}
