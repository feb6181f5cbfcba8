/** @file Finds the model that a run's config names: one below models/, a checkpoint of a saved run, or an imported one. */
import { mapSource } from '../formats/files/file-source';
import type { FileSource } from '../formats/files/file-source';
import { parameterShapes } from '../formats/hf/architecture';
import { parseDecoderConfig } from '../formats/hf/hf-config';
import { loadModelFolder } from '../formats/hf/model-folder';
import type { ModelFolder } from '../formats/hf/model-folder';
import { readSafetensors, toFloat32, writeSafetensors } from '../formats/hf/safetensors';
import type { FloatTensor } from '../formats/hf/safetensors';
import { adapterOfCheckpoint } from '../rl/lora-checkpoint';
import { hasAdapters } from '../runs/model-capabilities';
import type { ChosenAdapter } from './load-options';
import type { RunStorage, SavedRun } from '../storage/run-storage';

/** A run may start from a run that started from a run; more than this is a circle. */
const LONGEST_CHAIN = 20;

export interface ModelPlaces {
  /** The folder of a model below models/. */
  embedded(name: string): FileSource;
  storage: Pick<RunStorage, 'get' | 'loadCheckpoint' | 'loadModel'>;
}

/**
 * Loads the model of that name.
 * @throws Error with a message for the user when it is gone or broken
 */
export async function loadNamedModel(name: string, places: ModelPlaces): Promise<ModelFolder> {
  const folder = await loadModelFolder(await findModel(name, places));
  return { ...folder, name };
}

/** A downloaded model with what a run of its adapters made of it. */
export interface AdaptedModel {
  /** `store:<id>`. */
  base: string;
  adapter: ChosenAdapter;
}

/**
 * What a name stands for when it is a checkpoint of adapters; null for any other.
 * @throws Error with a message for the user when it is gone
 */
export async function findAdapter(name: string, places: Pick<ModelPlaces, 'storage'>): Promise<AdaptedModel | null> {
  const checkpoint = checkpointOf(name);
  const run = checkpoint && (await places.storage.get(checkpoint.run));
  if (!checkpoint || !run || !hasAdapters(run.config)) return null;
  const bytes = await loadCheckpoint(run, checkpoint.step, places);
  return { base: run.config.model, adapter: asChosen(name, adapterOfCheckpoint(bytes)) };
}

/** A PEFT folder's files, as if they had been chosen. */
export function asChosen(name: string, folder: ReadonlyMap<string, Uint8Array>): ChosenAdapter {
  return { name, files: [...folder].map(([path, bytes]) => new File([bytes as Uint8Array<ArrayBuffer>], path)) };
}

/** The files of the model of that name. @throws Error with a message for the user when it is gone */
export async function findModel(name: string, places: ModelPlaces, depth = 0): Promise<FileSource> {
  if (depth > LONGEST_CHAIN) throw new Error(`the models of these runs refer to each other in a circle: ${name}`);
  const checkpoint = checkpointOf(name);
  if (checkpoint) return checkpointSource(name, checkpoint, places, depth);
  if (!name.startsWith('file:')) return places.embedded(name);
  const files = await places.storage.loadModel(name.slice('file:'.length));
  if (!files) throw new Error(`The imported model ${name.slice('file:'.length)} is no longer stored. Import it again.`);
  return mapSource(name, files);
}

/** The checkpoint's weights with the small files of the model that its run started from. */
async function checkpointSource(
  name: string,
  { run: id, step }: { run: string; step: number },
  places: ModelPlaces,
  depth: number,
): Promise<FileSource> {
  const run = await places.storage.get(id);
  if (!run) throw new Error(`The run that ${name} is a checkpoint of has been deleted. Choose another model.`);
  if (hasAdapters(run.config)) {
    throw new Error(
      `The checkpoints of "${run.name}" are adapters of a downloaded model: go on with the run, or start from that model.`,
    );
  }
  const bytes = await loadCheckpoint(run, step, places);
  const start = await findModel(run.config.model, places, depth + 1);
  return {
    name,
    async read(path) {
      if (path === 'model.safetensors') return writeSafetensors(await weightsOf(bytes, start));
      return start.read(path);
    },
  };
}

function checkpointOf(name: string): { run: string; step: number } | null {
  const match = /^run:([\w-]+)@(\d+)$/.exec(name);
  return match && { run: match[1]!, step: Number(match[2]) };
}

async function loadCheckpoint(
  { id, name }: SavedRun,
  step: number,
  { storage }: Pick<ModelPlaces, 'storage'>,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await storage.loadCheckpoint(id, step);
  if (!bytes) throw new Error(`The run "${name}" has no checkpoint of step ${step}. Choose another one.`);
  return bytes;
}

async function weightsOf(checkpoint: Uint8Array, folder: FileSource): Promise<FloatTensor[]> {
  const config = await folder.read('config.json');
  if (!config) throw new Error(`${folder.name} has no config.json`);
  return checkpointTensors(
    checkpoint,
    parameterShapes(parseDecoderConfig(JSON.parse(new TextDecoder().decode(config)))),
  );
}

/** A model's parameters out of a checkpoint, which holds the optimizer's state too. @throws Error naming what is missing */
export function checkpointTensors(checkpoint: Uint8Array, shapes: readonly { name: string }[]): FloatTensor[] {
  const { tensors } = readSafetensors(checkpoint);
  return shapes.map(({ name }) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`the checkpoint has no tensor ${name}`);
    return { name, shape: tensor.shape, data: toFloat32(tensor) };
  });
}
