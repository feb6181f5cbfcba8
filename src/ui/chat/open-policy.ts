/** @file Opens a model to talk to, on the engine's worker or on a server. A module of its own, so that the page loads without it. */
import { engine } from '../../worker/client';
import { parseRemoteId, type ChatModel, type StoredEntry } from './models';
import type { ClosablePolicy, OpenProgress } from './open-models.svelte';

/** @throws Error with a message for the user: no GPU, no such model, not enough memory; DOMException AbortError */
export async function openPolicy(
  model: ChatModel,
  onProgress: (progress: OpenProgress) => void,
  signal: AbortSignal,
): Promise<ClosablePolicy> {
  if (parseRemoteId(model.id)) return (await import('../connect/remote-models')).openRemote(model.id);
  const options = model.load ? { options: model.load } : {};
  return engine().openPolicy(
    model.files ? { files: model.files, ...options } : { name: model.id, ...options },
    ({ bytes, total }) => onProgress({ phase: 'Loading', done: bytes, total }),
    signal,
  );
}

/** Large models in the browser's storage. @throws when the engine can't say */
export const storedModels = (): Promise<StoredEntry[]> => engine().storedModels();
