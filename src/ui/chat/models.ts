/** @file Whom the chat can ask: the embedded model, the last checkpoint of each saved run, imported models. */
import { defaultRunConfig } from '../../runs/config';
import type { RunStorage } from '../../runs/storage';

export interface ChatModel {
  /** As a run's config names it: `tinythink-1m`, `run:<id>@<step>`, `file:<name>`. */
  id: string;
  label: string;
}

export const DEFAULT_MODEL = defaultRunConfig.model;

type Storage = Pick<RunStorage, 'list' | 'checkpointSteps' | 'modelNames'>;

/** Never rejects: when nothing can be read from storage, the embedded model is still there. */
export async function chatModels(storage: Storage): Promise<ChatModel[]> {
  const models: ChatModel[] = [{ id: DEFAULT_MODEL, label: `${DEFAULT_MODEL}, as pretrained` }];
  try {
    for (const run of await storage.list()) {
      const step = (await storage.checkpointSteps(run.id)).at(-1);
      if (step !== undefined) models.push({ id: `run:${run.id}@${step}`, label: `${run.name}, after step ${step}` });
    }
    for (const name of await storage.modelNames()) models.push({ id: `file:${name}`, label: `${name}, imported` });
  } catch {
    // Some private windows refuse storage; then there are no saved runs either.
  }
  return models;
}
