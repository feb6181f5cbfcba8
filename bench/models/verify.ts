/**
 * @file Whether this machine's GPU computes what Transformers does: the small checkpoints of tests/goldens on it. The
 * tests run on emulated GPUs, and kernels for subgroups of 32 or tensor cores only show themselves on real ones.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelFiles } from '../../src/cli/model-files';
import { openModel } from '../../src/formats/open-model';
import { readSafetensors, toFloat32, toIntegers } from '../../src/formats/hf/safetensors';
import type { Gpu } from '../../src/gpu/gpu';
import { InferenceModel } from '../../src/model/infer/inference-model';
import { inferencePlan } from '../../src/model/infer/inference-plan';
import { promptLogits } from '../../src/model/infer/logits';
import { forcedLogits } from './forced-logits';
import { formatProducts, largestDifference, verifyProducts, type VerifiedProduct } from './verify-products';

export interface Verified {
  model: string;
  /** Largest difference of a prompt's logits as a share of the largest one, computed in pieces and token by token. */
  prompt: number;
  forced: number;
  /** Share of 128 forced tokens after which the likeliest token is Transformers'. */
  top: number;
}

const SUFFIX = '.golden.safetensors';

/** @param folder tests/goldens/checkpoints */
async function verifyModels(gpu: Gpu, folder: string): Promise<Verified[]> {
  const results: Verified[] = [];
  const entries = readdirSync(folder);
  for (const file of entries.filter((name) => name.endsWith(SUFFIX))) {
    const name = file.slice(0, -SUFFIX.length);
    const stored = entries.includes(name) ? name : `${name}.gguf`;
    const { tensors } = readSafetensors(readFileSync(join(folder, file)));
    const ids = (key: string) => toIntegers(tensors.get(key)!);
    const opened = await openModel(await modelFiles(join(folder, stored)));
    const typeOf = (tensor: string) => opened.tensors.get(tensor)!.type;
    const plan = inferencePlan(opened.config, typeOf, { cache: 'f32', context: 160, prefillTokens: 16 });
    const model = await InferenceModel.load(gpu, opened, plan);
    const wanted = toFloat32(tensors.get('logits')!);
    const vocab = opened.config.vocab_size;
    const worst = (rows: Float32Array[]) =>
      Math.max(...rows.map((row, i) => largestDifference(row, wanted.subarray(i * vocab, (i + 1) * vocab))));
    const tops = ids('forced_top');
    const forced = await forcedLogits(model, ids('forced'));
    results.push({
      model: stored,
      prompt: worst(await promptLogits(model, ids('input_ids'))),
      forced: worst(await forcedLogits(model, ids('input_ids'))),
      top: forced.filter((row, i) => row.indexOf(Math.max(...row)) === tops[i]).length / tops.length,
    });
    model.free();
  }
  return results;
}

export async function verify(gpu: Gpu, folder: string): Promise<{ models: Verified[]; products: VerifiedProduct[] }> {
  return { models: await verifyModels(gpu, folder), products: await verifyProducts(gpu) };
}

export const formatVerified = ({ models, products }: Awaited<ReturnType<typeof verify>>): string =>
  [
    ...models.map(
      ({ model, prompt, forced, top }) =>
        `${model.padEnd(18)} prompt ${prompt.toExponential(1)}, token by token ${forced.toExponential(1)}, likeliest ${(100 * top).toFixed(1)}%`,
    ),
    formatProducts(products),
  ].join('\n');
