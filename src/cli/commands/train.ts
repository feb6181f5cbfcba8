/**
 * @file `train`: a GRPO run on this machine's GPU. Writes its events, its checkpoints, and at the end the model: a Hugging
 * Face folder, or with --lora-r a PEFT folder. --adapter starts from a base with an adapter.
 */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { messageOf } from '../../base/errors';
import { LocalTrainer } from '../../engine/training/local-trainer';
import { datasetName } from '../../eval/distillation';
import { exportCheckpoint } from '../../rl/checkpoint';
import type { RunConfig } from '../../rl/config';
import type { Rollout } from '../../rl/grpo/rollout';
import { configForTask, defaultRunConfig } from '../../runs/config';
import type { RunEvent } from '../../runs/events';
import { fieldOfOption, parseField, withField, type FieldKey, type FieldValue } from '../../runs/fields';
import { getPreset, presetConfig, presets } from '../../runs/presets';
import type { RunStatus } from '../../runs/trainer';
import { nodeEngine, openModelAt } from '../engine';
import { JsonLines, writeFolder } from '../files';
import { parseOptions, UsageError } from '../options';

export async function train(args: string[]): Promise<void> {
  const own = ['model', 'adapter', 'events', 'out', 'preset', 'dump-batches', 'cold-start-dataset'];
  const { mine, settings } = split(args, own);
  const options = parseOptions(mine, {
    model: { type: 'string', required: true },
    adapter: { type: 'string' },
    out: { type: 'string', required: true },
    events: { type: 'string' },
    preset: { type: 'string' },
    'dump-batches': { type: 'flag' },
    /** A file that `distil` wrote, for the supervised start. */
    'cold-start-dataset': { type: 'string' },
  });
  const preset = presetNamed(options.preset);
  const task = settings.find(([key]) => key === 'task')?.[1];
  const base = task === undefined ? preset : configForTask(preset, String(task));
  const set = settings.reduce((config, [key, value]) => withField(config, key, value), base);
  // A run knows models by name; the folder itself is this command's business.
  const config: RunConfig = { ...set, model: `file:${basename(resolve(options.model))}` };
  const dataset = options['cold-start-dataset'];
  if (dataset !== undefined) config.cold_start_dataset = datasetName(basename(dataset));
  if (!existsSync(options.model)) throw new UsageError(`there is no model at ${options.model}`);
  if (dataset !== undefined && !existsSync(dataset)) throw new UsageError(`there is no data set at ${dataset}`);

  const events = await JsonLines.open(options.events ?? join(options.out, 'events.jsonl'), 'nothing');
  const batches = options['dump-batches'] ? await JsonLines.open(join(options.out, 'batches.jsonl'), 'nothing') : null;
  const onBatch = (step: number, lr: number, rollout: Rollout) =>
    batches?.write(dump(step, lr, rollout, config.num_generations));
  let device = '';
  const engine = nodeEngine({ onBatch, onDevice: (description) => (device = description) }, dataset);
  const trainer = new LocalTrainer({
    openModel: async (name) => {
      const model = await openModelAt(options.model, options.adapter);
      for (const notice of model.notices) console.error(notice);
      return { ...model, name };
    },
    openSession: (wanted, model, tell) => engine.openTraining(model, wanted, tell),
    device: () => device,
    saveCheckpoint: (_, step, bytes, model) =>
      writeFolder(join(options.out, `checkpoint-${step}`), exportCheckpoint(model, bytes)),
  });
  let failure: string | null = null;
  const ended = new Promise<void>((resolve) => {
    const event = (each: RunEvent) => {
      events.write(each);
      report(each);
      if (each.type === 'failed') failure = each.reason;
      if (each.type === 'failed' || each.type === 'finished') resolve();
    };
    const observer = { event, status: reportStatus, warning: (message: string) => console.warn(message) };
    void trainer.start(config, observer).then(
      () => trainer.resume(),
      (error: Error) => {
        failure = error.message;
        resolve();
      },
    );
  });
  await ended;
  await events.close();
  await batches?.close();
  // A run that failed still has the weights of its last checkpoint.
  const model = await trainer.exportModel().catch((error: Error) => {
    if (failure === null) throw error;
    return null;
  });
  if (model) await writeFolder(options.out, model);
  if (failure !== null) throw new Error(failure);
}

/** Prints a line for every tenth of the supervised start. */
function reportStatus(status: RunStatus): void {
  if (status.kind !== 'sft') return;
  const { update, updates } = status;
  const tenth = Math.max(1, Math.floor(updates / 10));
  if (update % tenth === 0 || update === updates) console.log(`supervised start: update ${update} of ${updates}`);
}

function presetNamed(name: string | undefined): RunConfig {
  if (name === undefined) return defaultRunConfig;
  const preset = getPreset(name);
  if (!preset)
    throw new UsageError(`there is no preset ${name}; there are ${presets.map((each) => each.name).join(', ')}`);
  return presetConfig(preset);
}

function report(event: RunEvent): void {
  if (event.type === 'eval') {
    const { eval_accuracy, eval_mean_length, eval_truncated } = event.metrics;
    const parts = [`accuracy ${eval_accuracy!.toFixed(3)}`, `length ${eval_mean_length!.toFixed(1)}`];
    const when = event.phase ? 'before the cold start' : `at step ${event.step}`;
    console.log(`eval ${when}: ${parts.join(', ')}, truncated ${eval_truncated!.toFixed(3)}`);
  }
  if (event.type === 'step' && (event.step <= 3 || event.step % 20 === 0)) {
    const m = event.metrics;
    const length = m['completions/mean_length']!.toFixed(1);
    console.log(
      `step ${event.step}: reward ${m.reward!.toFixed(3)}, length ${length}, gradient ${m.grad_norm!.toFixed(3)}, ${event.timings.total!.toFixed(0)} ms`,
    );
  }
  if (event.type === 'interrupted') console.log(`interrupted: ${event.reason}`);
}

/** One step's samples, as tests/python/test_replay.py reads them. */
function dump(step: number, learning_rate: number, rollout: Rollout, size: number) {
  const sequences = rollout.samples.map(({ ids, logprobs, truncated }, i) => ({
    prompt_ids: rollout.prompts[Math.floor(i / size)],
    completion_ids: ids,
    logprobs,
    reward: rollout.scores[i]!.reward,
    advantage: rollout.advantages.advantages[i],
    truncated,
  }));
  return { type: 'batch', step, learning_rate, sequences };
}

/** Separates the options of this command from those that set a field of the config. */
function split(
  args: readonly string[],
  own: readonly string[],
): { mine: string[]; settings: [FieldKey, FieldValue][] } {
  const mine: string[] = [];
  const settings: [FieldKey, FieldValue][] = [];
  for (let i = 0; i < args.length; i++) {
    const [key = '', inline] = args[i]!.split(/=(.*)/s);
    const name = key.replace(/^--/, '');
    if (own.includes(name)) {
      mine.push(args[i]!);
      if (name !== 'dump-batches' && inline === undefined) mine.push(...args.slice(i + 1, ++i + 1));
      continue;
    }
    const field = key.startsWith('--') ? fieldOfOption(name) : null;
    if (field === null) throw new UsageError(`unknown option ${args[i]}`);
    const text = inline ?? args[++i];
    if (text === undefined) throw new UsageError(`${key} needs a value`);
    try {
      settings.push([field, parseField(field, text)]);
    } catch (error) {
      throw new UsageError(`${key}: ${messageOf(error)}`);
    }
  }
  return { mine, settings };
}
