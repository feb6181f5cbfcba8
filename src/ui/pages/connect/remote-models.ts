/** @file Models on servers for whoever chooses among models: listed without asking anybody, opened without a request. */
import { formatModelId, parseModelId } from '../../../runs/model-id';
import type { RemoteModel } from '../../../servers/models';
import { ServerChatModel } from '../../../servers/chat/server-chat-model';
import { isModelServer } from '../../../servers/server';
import type { ServerStore } from '../../../servers/server-store';
import type { ChatModel } from '../../../runs/chat-model';
import type { ModelChoice } from '../chat/models/models';
import type { ModelLists } from './model-lists';
import { modelLists, servers } from './room';

/** Those that the servers had when they were last asked. @throws Error when the browser stores nothing */
export async function remoteModels(
  store: Pick<ServerStore, 'list'> = servers,
  lists: Pick<ModelLists, 'get'> = modelLists,
): Promise<ModelChoice[]> {
  const records = await store.list();
  return records.flatMap(({ id, label }) =>
    (lists.get(id) ?? []).map((model): ModelChoice => ({
      id: formatModelId({ kind: 'server', server: id, model: model.id }),
      label: `${model.id} · ${label}`,
      group: 'On servers',
      toy: false,
    })),
  );
}

/** @throws Error when its server has been removed */
export async function openRemote(
  id: string,
  store: Pick<ServerStore, 'list' | 'open'> = servers,
  lists: Pick<ModelLists, 'get'> = modelLists,
): Promise<ChatModel> {
  const named = parseModelId(id);
  const remote = named?.kind === 'server' ? named : null;
  const record = (await store.list()).find((each) => each.id === remote?.server);
  if (!remote || !record) throw new Error('The server of this model is not on the Connect page any more.');
  const known = lists.get(record.id)?.find((model) => model.id === remote.model);
  const model: RemoteModel = known ?? { id: remote.model };
  const server = await store.open(record);
  if (!isModelServer(server)) throw new Error(`${record.label} trains models and answers no prompts.`);
  return new ServerChatModel(server, model);
}
