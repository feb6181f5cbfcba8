/** @file What a server that trains has, in words. */
import type { SidecarInfo, SidecarRun } from '../../../servers/training/sidecar-schema';
import { allTasks } from '../../../tasks';
import { isDataset } from '../../../tasks/dataset';

/** A task as its server names it, as readers know it. */
export function taskTitle(name: string): string {
  return isDataset(name) ? 'Data set' : (allTasks.find((task) => task.name === name)?.title ?? name);
}

/** "Chain sums, tinythink-1m"; the id where the run's config can't be read. */
export const runTitle = ({ id, config }: Pick<SidecarRun, 'id' | 'config'>): string =>
  config ? `${taskTitle(config.task)}, ${config.model}` : id;

/** Its hardware and what is installed, as the terms of a list. */
export function serverFacts(info: SidecarInfo): readonly { term: string; text: string }[] {
  const { gpus, models, tasks, vllm, deepspeed, peft, hub, version } = info;
  const installed = [peft && 'PEFT (LoRA)', deepspeed && 'DeepSpeed (ZeRO-3)', vllm && 'vLLM'].filter(Boolean);
  return [
    { term: 'GPUs', text: gpus === 0 ? 'none: it trains on the processor' : String(gpus) },
    { term: 'Models', text: models.join(', ') || 'none: put a model’s folder into its --models folder' },
    ...(hub.length > 0 ? [{ term: 'From the Hub', text: hub.join(', ') }] : []),
    { term: 'Tasks', text: tasks.map(taskTitle).join(', ') },
    { term: 'Installed', text: installed.join(', ') || 'TRL alone' },
    { term: 'Version', text: version },
  ];
}
