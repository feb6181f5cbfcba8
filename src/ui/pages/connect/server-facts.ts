/** @file What a training server offers, in words. */
import { t } from '../../../i18n';
import type { SidecarInfo, SidecarRun } from '../../../servers/training/sidecar-schema';
import { allTasks } from '../../../tasks';
import { isDataset } from '../../../tasks/dataset';

/** The title of a task, given the name that the server uses. */
export function taskTitle(name: string): string {
  return isDataset(name) ? t('connect:facts.dataset') : (allTasks.find((task) => task.name === name)?.title ?? name);
}

/** A title such as "Chain sums, tinythink-1m"; the id when the run's config can't be read. */
export const runTitle = ({ id, config }: Pick<SidecarRun, 'id' | 'config'>): string =>
  config ? t('connect:facts.runTitle', { task: taskTitle(config.task), model: config.model }) : id;

export interface ServerFact {
  key: 'gpus' | 'models' | 'hub' | 'tasks' | 'installed' | 'version';
  term: string;
  text: string;
}

/** The server's hardware and software, as the terms of a list. */
export function serverFacts(info: SidecarInfo): readonly ServerFact[] {
  const { gpus, models, tasks, vllm, deepspeed, peft, hub, version } = info;
  const installed = [peft && 'PEFT (LoRA)', deepspeed && 'DeepSpeed (ZeRO-3)', vllm && 'vLLM'].filter(Boolean);
  const fact = (key: ServerFact['key'], text: string): ServerFact => ({ key, term: t(`connect:facts.${key}`), text });
  return [
    fact('gpus', gpus === 0 ? t('connect:facts.noGpu') : String(gpus)),
    fact('models', models.join(', ') || t('connect:facts.noModels')),
    ...(hub.length > 0 ? [fact('hub', hub.join(', '))] : []),
    fact('tasks', tasks.map(taskTitle).join(', ')),
    fact('installed', installed.join(', ') || t('connect:facts.onlyTrl')),
    fact('version', version),
  ];
}
