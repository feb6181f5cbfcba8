/** @file The models on servers, for lists in which users choose a model. Listing and opening them sends no request. */
import { t } from '../../../i18n';
import { formatModelId, parseModelId } from '../../../runs/model-id';
import type { RemoteModel } from '../../../servers/models';
import { ServerChatModel } from '../../../servers/chat/server-chat-model';
import { isModelServer } from '../../../servers/server';
import type { ServerStore } from '../../../servers/server-store';
import type { ChatModel } from '../../../runs/chat-model';
import type { ModelChoice } from '../chat/models/models';
import type { ModelLists } from './model-lists';
import { modelLists, servers } from './device-servers';

/** The models that the servers listed when they were last asked. @throws Error when the browser can't store anything */
export async function remoteModels(
  store: Pick<ServerStore, 'list'> = servers,
  lists: Pick<ModelLists, 'get'> = modelLists,
): Promise<ModelChoice[]> {
  const records = await store.list();
  return records.flatMap(({ id, label }) =>
    (lists.get(id) ?? []).map((model): ModelChoice => ({
      id: formatModelId({ kind: 'server', server: id, model: model.id }),
      label: `${model.id} · ${label}`,
      group: 'servers',
      toy: false,
    })),
  );
}

/** Opens a model by its id. @throws Error when its server has been removed */
export async function openRemote(
  id: string,
  store: Pick<ServerStore, 'list' | 'open'> = servers,
  lists: Pick<ModelLists, 'get'> = modelLists,
): Promise<ChatModel> {
  const named = parseModelId(id);
  const remote = named?.kind === 'server' ? named : null;
  const record = (await store.list()).find((each) => each.id === remote?.server);
  if (!remote || !record) throw new Error(t('connect:models.serverRemoved'));
  const known = lists.get(record.id)?.find((model) => model.id === remote.model);
  const model: RemoteModel = known ?? { id: remote.model };
  const server = await store.open(record);
  if (!isModelServer(server)) throw new Error(t('connect:models.onlyTrains', { server: record.label }));
  return new ServerChatModel(server, model);
}
