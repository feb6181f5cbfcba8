/** @file What a training server offers, in words. */
import { formatBytes } from '../../../base/bytes';
import { t } from '../../../i18n';
import type { SidecarDataset, SidecarInfo, SidecarRun } from '../../../servers/training/sidecar-schema';
import { allTasks } from '../../../tasks';
import { isDataset } from '../../../tasks/dataset';

/** The title of a task, given the name that the server uses. */
export function taskTitle(name: string): string {
  return isDataset(name) ? t('connect:facts.dataset') : (allTasks.find((task) => task.name === name)?.title ?? name);
}

/** A title such as "Chain sums, tinythink-1m"; the id when the run's config can't be read. */
export const runTitle = ({ id, config }: Pick<SidecarRun, 'id' | 'config'>): string =>
  config ? t('connect:facts.runTitle', { task: taskTitle(config.task), model: config.model }) : id;

/** The name of a data set on a server, such as "Data set 0123ab, 500 problems". */
export function datasetTitle({ task, rows, hub }: SidecarDataset): string {
  const start = 'dataset:'.length;
  const name = hub ?? t('connect:datasets.name', { id: task.slice(start, start + 6) });
  return rows === undefined ? name : t('connect:datasets.withRows', { name, count: rows });
}

export interface ServerFact {
  key: 'gpus' | 'disk' | 'models' | 'hub' | 'tasks' | 'installed' | 'version';
  term: string;
  text: string;
}

/** The server's hardware and software, as the terms of a list. */
export function serverFacts(info: SidecarInfo): readonly ServerFact[] {
  const { gpus, disk, models, tasks, vllm, deepspeed, peft, hub, version } = info;
  const installed = [peft && 'PEFT (LoRA)', deepspeed && 'DeepSpeed (ZeRO-3)', vllm && 'vLLM'].filter(Boolean);
  const fact = (key: ServerFact['key'], text: string): ServerFact => ({ key, term: t(`connect:facts.${key}`), text });
  return [
    fact('gpus', gpus === 0 ? t('connect:facts.noGpu') : String(gpus)),
    ...(disk
      ? [fact('disk', t('connect:facts.diskFree', { free: formatBytes(disk.free), total: formatBytes(disk.total) }))]
      : []),
    fact('models', models.join(', ') || t('connect:facts.noModels')),
    ...(hub.length > 0 ? [fact('hub', hub.join(', '))] : []),
    fact('tasks', tasks.map(taskTitle).join(', ')),
    fact('installed', installed.join(', ') || t('connect:facts.onlyTrl')),
    fact('version', version),
  ];
}
