/** @file Opens a model to talk to, on the engine's worker or on a server. A module of its own, so that the page loads without it. */
import { isServerModel } from '../../../../runs/model-id';
import { engine } from '../../../../worker/client';
import type { ModelChoice, StoredEntry } from './models';
import type { OpenChatModel, OpenProgress } from './open-models.svelte';

/** @throws Error with a message for the user: no GPU, no such model, not enough memory; DOMException AbortError */
export async function openChatModel(
  model: ModelChoice,
  onProgress: (progress: OpenProgress) => void,
  signal: AbortSignal,
): Promise<OpenChatModel> {
  if (isServerModel(model.id)) return (await import('../../connect/remote-models')).openRemote(model.id);
  return engine().openChatModel(model.files ? { files: model.files } : model.id, {
    ...model.load,
    onProgress: ({ bytes, total }) => onProgress({ phase: 'Loading', done: bytes, total }),
    signal,
  });
}

/** Large models in the browser's storage. @throws when the engine can't say */
export const storedModels = (): Promise<StoredEntry[]> => engine().storedModels();
