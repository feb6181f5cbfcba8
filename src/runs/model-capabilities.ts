/**
 * @file What is known of a model before a run opens it, for defaults and labels: what its name says, or what somebody found
 * out. What is computed and how is decided by the engine, from the model itself (src/engine/open.ts).
 */
import { allTasks, tasks } from '../tasks';
import type { Task } from '../tasks/task';
import { parseModelId } from './model-id';

/** Whether it is a downloaded model: one that knows language, and for which a laptop trains adapters by default. */
export const isDownloaded = (model: string): boolean => parseModelId(model)?.kind === 'downloaded';

export interface ModelTraits {
  /** Whether it reads language, and not only the characters of the toy tasks. */
  readsLanguage: boolean;
  /** Whether it is an adapter on another model, which another adapter can learn on. */
  adapter: boolean;
}

/** What was found out about a model; undefined for one that nobody has looked at. */
export type KnownTraits = (model: string) => ModelTraits | undefined;

/** By their names alone. The meaning of a link must not depend on what this device has found out. */
export const namesOnly: KnownTraits = () => undefined;

/** Whether a laptop trains adapters on it by default: on adapters, and on models that read language, which are large. */
export function prefersAdapters(model: string, known: KnownTraits): boolean {
  const traits = known(model);
  return traits ? traits.readsLanguage || traits.adapter : isDownloaded(model);
}

/**
 * The tasks of a run on the page's own GPU: word problems are for models that read language. An imported model or a
 * checkpoint that nobody has looked at may be one.
 */
export function tasksFor(model: string, known: KnownTraits = namesOnly): readonly Task[] {
  const reads = known(model)?.readsLanguage ?? parseModelId(model)?.kind !== 'embedded';
  return reads ? allTasks : tasks;
}

/** A model's name for people: a downloaded one's without its prefix and the hash at the end of its folder's name. */
export function modelLabel(name: string): string {
  const model = parseModelId(name);
  return model?.kind === 'downloaded' ? model.id.replace(/-[0-9a-f]{10}$/, '') : name;
}
