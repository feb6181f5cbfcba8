/** @file A trainer of the worker as the page is given it: every call resolves after its events have been delivered. */
import { proxy, transfer } from 'comlink';
import { WEIGHTS } from '../formats/hf/file-names';
import type { LiveConfig } from '../rl/config';
import type { RunConfig, RunEvent } from '../runs/events';
import type { Resume, RunObserver, Trainer } from '../runs/trainer';
import { hostedChatModel } from './hosted-chat-model';
import { Pipe } from './pipe';

export function hostedTrainer(trainer: Trainer): Trainer {
  let pipe: Pipe<RunEvent> | null = null;
  const delivered = async (work: () => void | Promise<void>): Promise<void> => {
    await work();
    await pipe?.drained();
  };
  return {
    start(config: RunConfig, observer: RunObserver, resume?: Resume) {
      const events = (pipe = new Pipe((event: RunEvent) => observer.event(event)));
      return delivered(() =>
        trainer.start(
          config,
          {
            event: (event) => events.send(event),
            status: (status) => observer.status?.(status),
            warning: (message) => observer.warning?.(message),
          },
          resume,
        ),
      );
    },
    // Not awaited: the run continues by itself, and its events tell how.
    resume: () => void trainer.resume(),
    pause: () => delivered(() => trainer.pause()),
    step: () => delivered(() => trainer.step()),
    stop: () => delivered(() => trainer.stop()),
    update: (change: LiveConfig) => delivered(() => trainer.update(change)),
    async exportModel() {
      const files = await trainer.exportModel();
      // Only the weights belong to this map alone; the small files are kept for the next export.
      const weights = files.get(WEIGHTS);
      return weights ? transfer(files, [weights.buffer]) : files;
    },
    async openChatModel(weights) {
      return proxy(hostedChatModel(await trainer.openChatModel!(weights)));
    },
  };
}
