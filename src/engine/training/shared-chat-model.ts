/**
 * @file The model that a run trains, to chat with in the session's memory. A whole answer is one turn of the run, so that it
 * never overlaps with a step. When the GPU is lost, the answer fails and the run goes back to its last checkpoint; the next
 * answer comes from there.
 */
import type { ChatModel, ChatToken, OpenChatModel } from '../../runs/chat-model';
import type { WhichWeights } from './session';
import { DeviceLostError, type SessionKeeper } from './session-keeper';

export interface SharedChatParts {
  weights: WhichWeights;
  keeper: SessionKeeper;
  /** Runs work that must not overlap with the rest of the run, in its turn. It recovers from a lost GPU. */
  turn(work: () => Promise<void>): Promise<void>;
  /** Aborts when the run ends, or waits to end. */
  ending: AbortSignal;
}

/** Ends a turn. @param loss when the GPU was lost during it */
type EndTurn = (loss?: DeviceLostError) => void;

/** @param described what to say about the model; each answer asks the session for its own */
export function sharedChatModel(described: ChatModel, parts: SharedChatParts): OpenChatModel {
  const { weights, keeper, ending } = parts;
  const { name, sampling, readsLanguage } = described;
  return {
    name,
    ...(sampling && { sampling }),
    ...(readsLanguage !== undefined && { readsLanguage }),
    async *generate(request, signal) {
      const either = AbortSignal.any([signal, ending]);
      const endTurn = await takeTurn(parts, either);
      let loss: DeviceLostError | undefined;
      let tokens: AsyncIterator<ChatToken> | undefined;
      let finished = false;
      try {
        if (endTurn) {
          // Asked anew for each answer: the session may be another one than when the chat was opened.
          const model = await keeper.use((session) => Promise.resolve(session.chatModel(weights)));
          tokens = model!.generate(request, either)[Symbol.asyncIterator]();
          for (;;) {
            const next = await keeper.use(() => tokens!.next());
            if (next.done) break;
            finished = next.value.finish !== undefined;
            yield next.value;
          }
        }
        if (ending.aborted && !signal.aborted && !finished)
          throw new Error('The run has ended, and the answer with it.');
      } catch (error) {
        if (error instanceof DeviceLostError) loss = error;
        throw error;
      } finally {
        // On a lost device, ending the answer need not settle either.
        if (!loss) {
          await keeper
            .use(async () => tokens?.return?.())
            .catch((error: unknown) => {
              if (error instanceof DeviceLostError) loss = error;
            });
        }
        endTurn?.(loss);
      }
    },
    close: () => {},
  };
}

/** Waits for a turn, which lasts until the function that this resolves to is called. Null when the signal aborts before. */
function takeTurn({ turn }: SharedChatParts, signal: AbortSignal): Promise<EndTurn | null> {
  return new Promise((begin) => {
    const leave = () => begin(null);
    signal.addEventListener('abort', leave, { once: true });
    void turn(() => {
      signal.removeEventListener('abort', leave);
      if (signal.aborted) return Promise.resolve(leave());
      return new Promise((resolve, reject) => begin((loss) => (loss ? reject(loss) : resolve())));
    });
  });
}
