/** @file The engine that the worker hosts: everything here runs on a GPU device of its own. */
import { mapSource } from '../formats/files/file-source';
import type { OpenedModel } from '../formats/files/model-files';
import { readPeft, type PeftAdapter } from '../formats/hf/peft';
import { Gpu } from '../gpu/gpu';
import { loraTargets } from '../model/lora/lora-layout';
import type { RunConfig } from '../rl/config';
import { GrpoSession } from '../engine/grpo-session';
import type { SftExample } from '../rl/lessons';
import { loraOf } from '../rl/lora-config';
import { planRun } from '../rl/plan';
import type { ChosenAdapter } from '../engine/load-options';
import { TinyChatModel } from '../engine/tiny-chat-model';
import type { EngineParts } from './host';

export const engineParts: EngineParts = {
  gpu: navigator.gpu,
  createSession: async (config, folder, onNotice, onProgress) => {
    const options = { onNotice, onColdStart: onProgress, ...(await lessonsFor(config)) };
    return withGpu((gpu) => GrpoSession.create(gpu, config, folder, options));
  },
  createLoraSession: async (config, opened, onNotice, onProgress) => {
    const { LoraSession } = await import('../engine/lora-session');
    const onLoading = (bytes: number, total: number) => onProgress({ bytes, total });
    const told = { onNotice, onLoading, onColdStart: onProgress };
    const options = { ...told, activationBytes: ACTIVATION_BYTES, ...(await lessonsFor(config)) };
    return withGpu((gpu) => LoraSession.create(gpu, config, opened, options));
  },
  createChatModel: (folder) => withGpu((gpu) => TinyChatModel.create(gpu, folder)),
  // Large models bring code that the page's first seconds need not wait for.
  openModel: async (files, signal) => (await import('../formats/open-model')).openModel(files, signal),
  createPackedChatModel: async (opened, options, onProgress, signal) => {
    const { PackedChatModel } = await import('../engine/packed-chat-model');
    const adapter = options.adapter && (await readAdapter(options.adapter, opened));
    return withGpu((gpu) => PackedChatModel.create(gpu, opened, options, onProgress, signal, adapter));
  },
  planMemory: async (config, model) => {
    const gpu = await Gpu.request(navigator.gpu);
    try {
      return planRun(gpu, model, config).bytes;
    } finally {
      gpu.destroy();
    }
  },
  planLoraMemory: async (config, opened) => {
    const { planLoraRun } = await import('../rl/lora-plan');
    const lora = loraOf(config);
    if (!lora) throw new RangeError('This run has no adapters.');
    const gpu = await Gpu.request(navigator.gpu);
    try {
      return planLoraRun(gpu, opened, config, lora, ACTIVATION_BYTES).bytes;
    } finally {
      gpu.destroy();
    }
  },
};

/** Of a run's adapters: a page shares its GPU with all others, and a larger micro-batch gains little. */
const ACTIVATION_BYTES = 1e9;

const lessonsFor = async ({ cold_start_dataset: name }: RunConfig): Promise<{ lessons?: SftExample[] }> =>
  name === null ? {} : { lessons: await readSftExamples(name) };

/** @throws Error with a message for the user, when there is no such data set here */
async function readSftExamples(name: string): Promise<SftExample[]> {
  const { DatasetStorage } = await import('../storage/dataset-storage');
  const { sftExamples } = await import('../eval/distillation');
  return sftExamples(await new DatasetStorage().load(name));
}

/** @throws PeftError when the folder holds no adapter for this model */
async function readAdapter({ name, files }: ChosenAdapter, { config }: OpenedModel): Promise<PeftAdapter> {
  const bytes = await Promise.all(
    files.map(async (file) => [file.name, new Uint8Array(await file.arrayBuffer())] as const),
  );
  return readPeft(mapSource(name, new Map(bytes)), loraTargets(config));
}

/** Opens a device for what is made on it, and gives it back if that fails. */
async function withGpu<T>(make: (gpu: Gpu) => Promise<T>): Promise<T> {
  const gpu = await Gpu.request(navigator.gpu);
  try {
    return await make(gpu);
  } catch (error) {
    gpu.destroy();
    throw error;
  }
}
