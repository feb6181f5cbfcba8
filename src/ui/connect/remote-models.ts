/** @file Models on servers for whoever chooses among models: listed without asking anybody, opened without a request. */
import type { RemoteModel } from '../../remote/models';
import { RemotePolicy } from '../../remote/remote-policy';
import { isModelServer } from '../../remote/server';
import type { ServerStore } from '../../remote/servers';
import type { Policy } from '../../runs/policy';
import { parseRemoteId, remoteId, type ChatModel } from '../chat/models';
import type { ModelLists } from './model-lists';
import { modelLists, servers } from './room';

/** Those that the servers had when they were last asked. @throws Error when the browser stores nothing */
export async function remoteModels(
  store: Pick<ServerStore, 'list'> = servers,
  lists: Pick<ModelLists, 'get'> = modelLists,
): Promise<ChatModel[]> {
  const records = await store.list();
  return records.flatMap(({ id, label }) =>
    (lists.get(id) ?? []).map((model): ChatModel => ({
      id: remoteId(id, model.id),
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
): Promise<Policy> {
  const named = parseRemoteId(id);
  const record = (await store.list()).find((each) => each.id === named?.server);
  if (!named || !record) throw new Error('The server of this model is not on the Connect page any more.');
  const known = lists.get(record.id)?.find((model) => model.id === named.model);
  const model: RemoteModel = known ?? { id: named.model };
  const server = await store.open(record);
  if (!isModelServer(server)) throw new Error(`${record.label} trains models and answers no prompts.`);
  return new RemotePolicy(server, model);
}
