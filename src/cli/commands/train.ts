/**
 * @file `train`: a GRPO run on this machine's GPU; writes its events, and at the end the model. With --lora-r it trains
 * adapters of a model of any size, a folder or a .gguf, and writes PEFT folders.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { messageOf } from '../../base/errors';
import { loadModelFolder } from '../../formats/hf/model-folder';
import type { OpenedModel } from '../../formats/files/model-files';
import { openModel } from '../../formats/open-model';
import type { ColdStartProgress } from '../../rl/cold-start';
import type { RunConfig } from '../../rl/config';
import { GrpoSession, type GrpoSessionOptions, type Rollout } from '../../engine/grpo-session';
import type { SftExample } from '../../rl/lessons';
import { adapterOfCheckpoint } from '../../rl/lora-checkpoint';
import { LoraSession } from '../../engine/lora-session';
import { configForTask, defaultRunConfig } from '../../runs/config';
import { datasetName, sftExamples, parseDataset } from '../../eval/distillation';
import type { RunEvent } from '../../runs/events';
import { LocalTrainer, type LocalTrainerParts } from '../../engine/local-trainer';
import { fieldOfOption, parseField, withField, type FieldKey, type FieldValue } from '../../runs/fields';
import { getPreset, presetConfig, presets } from '../../runs/presets';
import { folderSource, JsonLines, writeFolder } from '../files';
import { openGpu } from '../gpu';
import { modelFiles } from '../model-files';
import { parseOptions, UsageError } from '../options';

export async function train(args: string[]): Promise<void> {
  const own = ['model', 'events', 'out', 'preset', 'dump-batches', 'cold-start-dataset'];
  const { mine, settings } = split(args, own);
  const options = parseOptions(mine, {
    model: { type: 'string', required: true },
    out: { type: 'string', required: true },
    events: { type: 'string' },
    preset: { type: 'string' },
    'dump-batches': { type: 'flag' },
    /** A file that `distil` wrote, for the cold start. */
    'cold-start-dataset': { type: 'string' },
  });
  const preset = presetNamed(options.preset);
  const task = settings.find(([key]) => key === 'task')?.[1];
  const base = task === undefined ? preset : configForTask(preset, String(task));
  const set = settings.reduce((config, [key, value]) => withField(config, key, value), base);
  // A run knows models by name; the folder itself is this command's business.
  const config: RunConfig = { ...set, model: `file:${basename(resolve(options.model))}` };
  const file = options['cold-start-dataset'];
  if (file !== undefined) config.cold_start_dataset = datasetName(basename(file));
  const lessons = file === undefined ? null : await readSftExamples(file);
  if (!existsSync(options.model)) throw new UsageError(`there is no model at ${options.model}`);

  const events = await JsonLines.open(options.events ?? join(options.out, 'events.jsonl'), 'nothing');
  const batches = options['dump-batches'] ? await JsonLines.open(join(options.out, 'batches.jsonl'), 'nothing') : null;
  const onBatch = (step: number, lr: number, rollout: Rollout) =>
    batches?.write(dump(step, lr, rollout, config.num_generations));
  const session = { onBatch, ...(lessons && { lessons }) };
  const trainer = new LocalTrainer(
    config.lora_r === null
      ? trainWeights(options.model, session)
      : await trainAdapters(options.model, options.out, session),
  );
  let failure: string | null = null;
  const ended = new Promise<void>((resolve) => {
    const onEvent = (event: RunEvent) => {
      events.write(event);
      report(event);
      if (event.type === 'failed') failure = event.reason;
      if (event.type === 'failed' || event.type === 'finished') resolve();
    };
    void trainer.start(config, onEvent).then(
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

/** @throws UsageError when there is no such file; DatasetError */
async function readSftExamples(path: string): Promise<SftExample[]> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) throw new UsageError(`there is no data set at ${path}`);
  const { samples, wrong, repeated } = parseDataset(text);
  if (wrong + repeated > 0) console.warn(`${path}: ${wrong} wrong and ${repeated} repeated lines are left out`);
  return sftExamples(samples);
}

/** A line for every tenth of a cold start. */
function onColdStart({ update, updates }: ColdStartProgress): void {
  const tenth = Math.max(1, Math.floor(updates / 10));
  if (update % tenth === 0 || update === updates) console.log(`cold start: update ${update} of ${updates}`);
}

/** A run in which all weights learn. */
function trainWeights(path: string, session: GrpoSessionOptions): LocalTrainerParts {
  // A lost device can't be used again: each session opens its own.
  let device = '';
  return {
    loadModel: () => loadModelFolder(folderSource(path)),
    createSession: async (config, folder, onNotice) => {
      const gpu = await openGpu();
      device = gpu.description;
      return GrpoSession.create(gpu, config, folder, { ...session, onNotice, onColdStart });
    },
    device: () => device,
    onWarning: (message) => console.warn(message),
  };
}

/** A run in which adapters learn. Each checkpoint becomes a PEFT folder of its own. */
async function trainAdapters(path: string, out: string, session: GrpoSessionOptions): Promise<LocalTrainerParts> {
  const model: OpenedModel = await openModel(await modelFiles(path));
  let device = '';
  return {
    // The run loop asks for a model's sizes and tokenizer; its weights go from their files straight to the GPU.
    loadModel: (name) => Promise.resolve({ ...model, name, tensors: new Map(), files: new Map() }),
    createSession: async (config, _, onNotice) => {
      const gpu = await openGpu();
      device = gpu.description;
      return LoraSession.create(gpu, config, model, { ...session, onNotice, onColdStart });
    },
    device: () => device,
    saveCheckpoint: (_, step, bytes) => writeFolder(join(out, `checkpoint-${step}`), adapterOfCheckpoint(bytes)),
    onWarning: (message) => console.warn(message),
  };
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
