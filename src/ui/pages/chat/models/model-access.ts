/**
 * @file The models on this device and on servers: which there are, and opening one. The engine's worker is loaded when it
 * is first needed, not with the page. This is the only place where the pages' chat models meet the engine.
 */
import { isServerModel } from '../../../../runs/model-id';
import { RunStorage } from '../../../../storage/run-storage';
import { allowedStorage } from '../../../parts/storage/allowed-storage';
import { loadSavedOptions } from './load-options';
import { listModels, namedModel, type ModelChoice } from './models';
import type { OpenChatModel, OpenProgress } from './open-models.svelte';

const engine = async () => (await import('../../../../worker/client')).engine();
const remote = () => import('../../connect/remote-models');

/** All models that can be chosen now. Never rejects: what can't be read is left out. */
export const availableModels = (): Promise<ModelChoice[]> =>
  listModels({
    storage: new RunStorage(),
    stored: async () => (await engine()).storedModels(),
    remote: async () => (await remote()).remoteModels(),
  });

/** @throws Error with a message for the user: no GPU, no such model, not enough memory; DOMException AbortError */
export async function openChatModel(
  model: ModelChoice,
  onProgress: (progress: OpenProgress) => void,
  signal: AbortSignal,
): Promise<OpenChatModel> {
  if (isServerModel(model.id)) return (await remote()).openRemote(model.id);
  return (await engine()).openChatModel(model.files ? { files: model.files } : model.id, {
    ...model.load,
    onProgress: ({ bytes, total }) => onProgress({ phase: 'loading', done: bytes, total }),
    signal,
  });
}

/** Opens a model with the load options that the user last chose for it on the Chat page. @throws as `openChatModel` */
export function openWithSavedOptions(
  { id, label, toy }: Pick<ModelChoice, 'id' | 'label' | 'toy'>,
  onProgress: (progress: OpenProgress) => void,
  signal: AbortSignal,
): Promise<OpenChatModel> {
  const load = loadSavedOptions(allowedStorage())[id];
  return openChatModel({ ...namedModel(id), label, toy, ...(load && { load }) }, onProgress, signal);
}
