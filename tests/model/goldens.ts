/** @file Reads the checkpoints and goldens that tests/goldens/make_models.py wrote. */
import { readFileSync } from 'node:fs';
import { modelFiles } from '../../src/cli/model-files';
import { readSafetensors, toFloat32, toIntegers } from '../../src/formats/hf/safetensors';
import { readWeights } from '../../src/formats/model';
import { openModel } from '../../src/formats/open-model';

const root = new URL('../goldens/models/', import.meta.url).pathname;

export const goldenModels = ['llama', 'qwen2', 'qwen3'] as const;

export async function loadGolden(name: (typeof goldenModels)[number]) {
  const model = await openModel(await modelFiles(root + name));
  const file = readSafetensors(readFileSync(`${root}${name}.golden.safetensors`));
  const info = JSON.parse(readFileSync(`${root}${name}.golden.json`, 'utf8')) as {
    lengths: number[];
    loss: number;
    losses: number[];
    grad_norms: number[];
    optimizer: {
      lr: number;
      betas: [number, number];
      eps: number;
      weight_decay: number;
      max_grad_norm: number;
      steps: number;
    };
  };
  const tensor = (key: string) => toFloat32(file.tensors.get(key)!);
  const ids = toIntegers(file.tensors.get('input_ids')!);
  let start = 0;
  const sequences = info.lengths.map((length) => ids.slice(start, (start += length)));
  return { model, weights: await readWeights(model), info, sequences, tensor };
}

/** ‖a − b‖ / ‖b‖ */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return a.length === b.length ? Math.sqrt(difference / size) : Infinity;
}
