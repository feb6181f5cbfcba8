/**
 * @file A training checkpoint: one safetensors file with the parameters that learn, the optimizer's moments, the reference
 * model and the counters. The weights are under their Hugging Face or PEFT names, so that other tools can read them too.
 */
import { messageOf } from '../base/errors';
import { writeModelFolder } from '../formats/hf/folder';
import { adapterOfTensors, stackAdapters, writeAdapter, writePeft, type PeftAdapter } from '../formats/hf/peft';
import { readSafetensors, toFloat32, writeSafetensors, type FloatTensor } from '../formats/hf/safetensors';
import { withWeights, type Model } from '../formats/model';
import type { LoraConfig } from '../model/lora/lora-layout';

/** Names in the file that are not parameters. */
const MOMENTS = 'adam.moments';
const REFERENCE = 'reference.';

/** What adapters are trained on. */
export interface AdapterOrigin {
  lora: LoraConfig;
  /** The model that they belong to: a name on the Hub, or a path. */
  base_model: string;
}

export interface Checkpoint {
  /** Optimizer updates and tokens so far. */
  updates: number;
  tokens: number;
  parameters: readonly FloatTensor[];
  /** Adam's first and second moments of each value. */
  moments: Float32Array<ArrayBuffer>;
  /** Empty where the run has no reference model with values of its own. */
  reference: readonly FloatTensor[];
  /** Null when all weights learn. */
  adapter: AdapterOrigin | null;
}

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array<ArrayBuffer> {
  const { updates, tokens, parameters, moments, reference, adapter } = checkpoint;
  const tensors = [
    ...parameters,
    { name: MOMENTS, shape: [moments.length], data: moments },
    ...reference.map((tensor) => ({ ...tensor, name: REFERENCE + tensor.name })),
  ];
  return writeSafetensors(tensors, 'F32', {
    updates: String(updates),
    tokens: String(tokens),
    ...(adapter && { lora: JSON.stringify(adapter.lora), base_model: adapter.base_model }),
  });
}

/** @throws Error when the file is not a checkpoint */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const { tensors, metadata } = readSafetensors(bytes);
  const stored = [...tensors.values()].map(({ name, shape, ...tensor }) => ({
    name,
    shape,
    data: toFloat32({ name, shape, ...tensor }),
  }));
  const moments = stored.find(({ name }) => name === MOMENTS)?.data;
  const [updates, tokens] = [Number(metadata.updates), Number(metadata.tokens)];
  if (!moments || !Number.isInteger(updates) || !Number.isInteger(tokens)) {
    throw new Error('The file is not a checkpoint of a training run.');
  }
  const isReference = ({ name }: FloatTensor) => name.startsWith(REFERENCE);
  return {
    updates,
    tokens,
    moments,
    parameters: stored.filter((tensor) => tensor.name !== MOMENTS && !isReference(tensor)),
    reference: stored.filter(isReference).map((tensor) => ({ ...tensor, name: tensor.name.slice(REFERENCE.length) })),
    adapter: adapterOf(metadata),
  };
}

function adapterOf({ lora, base_model }: Record<string, string>): AdapterOrigin | null {
  if (lora === undefined || base_model === undefined) return null;
  try {
    return { lora: JSON.parse(lora) as LoraConfig, base_model };
  } catch (error) {
    throw new Error(`The checkpoint does not say what its adapters are: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * The trained model as files by path: a Hugging Face folder, or a PEFT folder where adapters learn. An adapter that the
 * run started from is part of what is written, so that it fits the same base.
 * @param model what the run started from
 * @throws Error when the checkpoint is not one of that model
 */
export function exportCheckpoint(
  model: Pick<Model, 'config' | 'files' | 'adapter'>,
  bytes: Uint8Array,
): Map<string, Uint8Array<ArrayBuffer>> {
  const { parameters, adapter } = decodeCheckpoint(bytes);
  if (!adapter) return writeModelFolder(model, parameters, 'F32');
  if (!model.adapter) return writePeft({ ...adapter.lora, base_model: adapter.base_model }, parameters);
  return writeAdapter(stackAdapters(model.adapter, trainedAdapter(parameters, adapter)), adapter.base_model);
}

/**
 * The model that a checkpoint of `base`'s training is.
 * @throws Error naming a tensor that is missing
 */
export function modelOfCheckpoint(base: Model, bytes: Uint8Array, name: string): Model {
  const { parameters, adapter } = decodeCheckpoint(bytes);
  if (!adapter) return withWeights(base, parameters, name);
  const trained = { ...trainedAdapter(parameters, adapter), name };
  return {
    ...base,
    name,
    baseName: adapter.base_model,
    adapter: base.adapter ? stackAdapters(base.adapter, trained) : trained,
  };
}

const trainedAdapter = (parameters: readonly FloatTensor[], { lora, base_model }: AdapterOrigin): PeftAdapter =>
  adapterOfTensors(`adapters of ${base_model}`, parameters, lora.lora_alpha / lora.r);
