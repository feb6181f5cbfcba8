/**
 * @file How a run's config, an address and a saved conversation name a model:
 *
 *     tinythink-1m              a folder in public/models/
 *     run:<run>@<step>          a checkpoint of a saved run
 *     file:<name>               an imported model, in IndexedDB
 *     store:<id>                a downloaded model, in the browser's file system
 *     own:<id>                  files that the user chose, for this visit only
 *     remote:<server>:<model>   a model on a server that the user added; neither address nor key is part of it
 *     <owner>/<name>            a repository on the Hugging Face Hub, for training on a GPU server
 */

export type ModelId =
  | { kind: 'embedded'; name: string }
  | { kind: 'checkpoint'; run: string; step: number }
  | { kind: 'imported'; name: string }
  | { kind: 'downloaded'; id: string }
  | { kind: 'opened'; id: string }
  | { kind: 'server'; server: string; model: string }
  | { kind: 'hub'; repository: string };

/** Names of folders and repositories. They never start with a dot or a slash, so they can't lead to other folders. */
const NAME = /^[A-Za-z0-9][\w.-]{0,99}$/;
const REPOSITORY = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;

/** The parts of a model's id; null when it is not a valid one. */
export function parseModelId(text: string): ModelId | null {
  const match = (pattern: RegExp) => pattern.exec(text)?.slice(1) as string[] | undefined;
  const checkpoint = match(/^run:([\w-]{1,64})@(\d{1,9})$/);
  if (checkpoint) return { kind: 'checkpoint', run: checkpoint[0]!, step: Number(checkpoint[1]) };
  const imported = match(/^file:([\w. -]{1,100})$/);
  if (imported) return { kind: 'imported', name: imported[0]! };
  const downloaded = match(/^store:([\w.-]{1,100})$/);
  if (downloaded) return { kind: 'downloaded', id: downloaded[0]! };
  const opened = match(/^own:([\w-]{1,64})$/);
  if (opened) return { kind: 'opened', id: opened[0]! };
  const server = match(/^remote:([\w-]{1,64}):(.+)$/s);
  if (server) return { kind: 'server', server: server[0]!, model: server[1]! };
  if (REPOSITORY.test(text)) return { kind: 'hub', repository: text };
  return NAME.test(text) ? { kind: 'embedded', name: text } : null;
}

/** The text that `parseModelId` reads. */
export function formatModelId(id: ModelId): string {
  switch (id.kind) {
    case 'embedded':
      return id.name;
    case 'checkpoint':
      return `run:${id.run}@${id.step}`;
    case 'imported':
      return `file:${id.name}`;
    case 'downloaded':
      return `store:${id.id}`;
    case 'opened':
      return `own:${id.id}`;
    case 'server':
      return `remote:${id.server}:${id.model}`;
    case 'hub':
      return id.repository;
  }
}

/** Whether it is a model on a server, which doesn't run on this device. */
export const isServerModel = (text: string): boolean => parseModelId(text)?.kind === 'server';
