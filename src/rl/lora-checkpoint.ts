/** @file A checkpoint of a run whose adapters learn: these under PEFT's names, and the optimizer's moments. */
import { writePeft } from '../formats/hf/peft';
import { readSafetensors, toFloat32 } from '../formats/hf/safetensors';
import type { LoraConfig } from '../model/lora/lora-policy';

/** Names in a checkpoint, beside PEFT's own. */
export const MOMENTS = 'adam.moments';

/** The PEFT folder that a checkpoint of a LoRA run holds, as files by path. @throws Error for another file */
export function adapterOfCheckpoint(bytes: Uint8Array): Map<string, Uint8Array<ArrayBuffer>> {
  const { tensors, metadata } = readSafetensors(bytes);
  if (metadata.lora === undefined || metadata.base_model === undefined) {
    throw new Error('The file is not a checkpoint of a LoRA run.');
  }
  const lora = JSON.parse(metadata.lora) as LoraConfig;
  const adapters = [...tensors.values()].filter(({ name }) => name !== MOMENTS);
  return writePeft(
    { ...lora, base_model: metadata.base_model },
    adapters.map((tensor) => ({ name: tensor.name, shape: tensor.shape, data: toFloat32(tensor) })),
  );
}
