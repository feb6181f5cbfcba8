/** @file Whom `distil` asks: a model on this machine, or one on a server that people already run. */
import { basename, resolve } from 'node:path';
import { openChatModel } from '../engine/open';
import { detectServer } from '../servers/detect';
import { ServerKey } from '../servers/key';
import { listModels, type RemoteModel } from '../servers/models';
import { ServerChatModel } from '../servers/chat/server-chat-model';
import { SERVER_KINDS } from '../servers/kinds';
import { isModelServer, serverUrl, type RemoteServer } from '../servers/server';
import type { Teacher } from '../eval/distillation';
import type { ChatModel } from '../runs/chat-model';
import { inferenceOptions } from './commands/generate';
import { openModelAt } from './engine';
import { openGpu } from './gpu';
import { UsageError } from './options';

/** The only place that a key is taken from: options end up in histories and lists of processes. */
const KEY = 'TINYTHINK_KEY';

export interface OpenTeacher {
  model: ChatModel;
  teacher: Teacher;
  /** On a server, where several answers can be written at once. */
  remote: boolean;
}

export interface TeacherOptions {
  /** A folder, a .gguf, or the address of a server. */
  teacher: string;
  'server-kind': string | undefined;
  'remote-model': string | undefined;
  quant: string;
  cache: string;
  context: number | undefined;
}

/** @throws UsageError; RemoteError; what opening a model throws */
export async function openTeacher(options: TeacherOptions): Promise<OpenTeacher> {
  if (/^https?:\/\//i.test(options.teacher)) return openServer(options);
  if (options['server-kind'] !== undefined || options['remote-model'] !== undefined) {
    throw new UsageError('--server-kind and --remote-model go with the address of a server as --teacher');
  }
  const teacher = { model: basename(resolve(options.teacher)), server: 'this machine' };
  const model = await openChatModel(await openGpu(), await openModelAt(options.teacher), inferenceOptions(options));
  return { model, teacher, remote: false };
}

async function openServer(options: TeacherOptions): Promise<OpenTeacher> {
  const key = process.env[KEY];
  const { server, models } = await findServer(options, key);
  const model = chooseModel(models, options['remote-model'], server);
  return {
    model: new ServerChatModel(server, model),
    teacher: { model: model.id, server: server.kind },
    remote: true,
  };
}

async function findServer(
  options: TeacherOptions,
  key: string | undefined,
): Promise<{ server: RemoteServer; models: RemoteModel[] }> {
  if (options['server-kind'] === undefined) {
    const { server, models } = await detectServer(options.teacher, key);
    const { label } = server;
    if (!isModelServer(server)) throw new UsageError(`${label} trains models, and answers no questions`);
    return { server, models };
  }
  const kind = SERVER_KINDS.find((each) => each === options['server-kind']);
  if (!kind) throw new UsageError(`--server-kind takes ${SERVER_KINDS.join(', ')}, not ${options['server-kind']}`);
  const url = serverUrl(options.teacher);
  const server = { kind, url, label: new URL(url).host, key: key?.trim() ? new ServerKey(url, key) : null };
  // Some servers list less than they serve: who names the model need not be listed.
  return { server, models: options['remote-model'] === undefined ? await listModels(server) : [] };
}

function chooseModel(models: readonly RemoteModel[], wanted: string | undefined, { label }: RemoteServer): RemoteModel {
  if (wanted !== undefined) return models.find(({ id }) => id === wanted) ?? { id: wanted };
  const [only] = models;
  if (models.length === 1 && only) return only;
  const names = models.slice(0, 20).map(({ id }) => id);
  throw new UsageError(
    `${label} has ${models.length === 0 ? 'no models' : `several models (${names.join(', ')})`}; choose one with --remote-model`,
  );
}
