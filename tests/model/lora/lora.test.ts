/** @file LoRA against PyTorch and PEFT, through the goldens of tests/goldens/make_lora.py. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelFiles } from '../../../src/cli/model-files';
import { readTensor } from '../../../src/formats/gguf/dequantise';
import type { Model } from '../../../src/formats/model';
import { openModel } from '../../../src/formats/open-model';
import { readPeft } from '../../../src/formats/hf/peft';
import { readSafetensors, toFloat32 } from '../../../src/formats/hf/safetensors';
import type { Gpu } from '../../../src/gpu/gpu';
import { loraLayout, loraTargets, type LoraTensors } from '../../../src/model/lora/lora-layout';
import { LoraLearner } from '../../../src/model/lora/lora-learner';
import { initialLora } from '../../../src/model/lora/lora-parameters';
import { loadPackedParameters } from '../../../src/model/infer/packed-parameters';
import { planWeights } from '../../../src/model/infer/weight-plan';
import { CROSS_ENTROPY } from '../../../src/nn/train/policy-loss';
import { openTestGpu } from '../../support/gpu';
import { goldenModels, loadGolden, relativeError } from '../goldens';

const root = new URL('../../goldens/', import.meta.url).pathname;

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.destroy());

type Weights = Pick<Model, 'config' | 'tensors' | 'bytes'>;

/** A learner of adapters of `model`, with a batch of sequences by themselves and cross-entropy as its loss. */
async function learnerOf(
  model: Weights,
  modules: ReadonlyMap<string, LoraTensors & { rank: number }>,
  scale: number,
  sequences: readonly (readonly number[])[],
  maxTokens: number,
) {
  const weights = planWeights(model.config, (name) => model.tensors.get(name)!.type, 'stored');
  const base = await loadPackedParameters(gpu, model, weights);
  const layout = loraLayout(model.config, (name) => modules.get(name)?.rank ?? 0);
  const plan = { maxTokens, maxPositions: 80, batchRows: 128, batchSequences: 8, reference: true };
  const loss = { objective: 'cross_entropy', sequenceRatio: false, klRatio: false } as const;
  const learner = await LoraLearner.create(gpu, { config: model.config, base, lora: { layout, scale }, plan, loss });
  learner.setAdapters(modules);
  const targets = sequences.reduce((sum, sequence) => sum + sequence.length - 1, 0);
  const groups = sequences.map((sequence) => ({ prompt: [], completions: [sequence] }));
  const load = () => learner.load(groups, () => ({ advantage: 0, weight: 1 / targets }));
  const totalLoss = async () => {
    const stats = new Float32Array(await gpu.read(learner.stats, sequences.length * 32));
    return sequences.reduce((sum, _, i) => sum + stats[i * 8]!, 0);
  };
  return { learner, load, totalLoss };
}

async function golden(name: (typeof goldenModels)[number], maxTokens: number) {
  const { sequences } = await loadGolden(name);
  const model = await openModel(await modelFiles(`${root}models/${name}`));
  const { modules } = await readPeft(await modelFiles(`${root}lora/${name}`), loraTargets(model.config));
  const file = readSafetensors(readFileSync(`${root}lora/${name}.golden.safetensors`));
  const info = JSON.parse(readFileSync(`${root}lora/${name}.golden.json`, 'utf8')) as {
    losses: number[];
    grad_norms: number[];
    optimizer: { lr: number; betas: [number, number]; eps: number; weight_decay: number; max_grad_norm: number };
  };
  const { scale } = [...modules.values()][0]!;
  const made = await learnerOf(model, modules, scale, sequences, maxTokens);
  /** Largest relative error of any A or B against the golden's tensors of a prefix. */
  const worst = (found: ReadonlyMap<string, LoraTensors>, prefix: string) => {
    const errors = [...found].flatMap(([module, { a, b }]) =>
      (
        [
          ['A', a],
          ['B', b],
        ] as const
      ).map(([letter, data]) =>
        relativeError(data, toFloat32(file.tensors.get(`${prefix}.base_model.model.${module}.lora_${letter}.weight`)!)),
      ),
    );
    expect(errors).toHaveLength(2 * modules.size);
    return Math.max(...errors);
  };
  return { ...made, info, worst };
}

describe.each(goldenModels)('%s', (name) => {
  // 128 holds the batch whole; 72 makes two micro-batches of it.
  it.each([128, 72])('loss, and gradients of every A and B, in micro-batches of %i tokens', async (maxTokens) => {
    const { learner, load, totalLoss, info, worst } = await golden(name, maxTokens);
    const recorder = gpu.recorder();
    learner.accumulate(recorder, load(), CROSS_ENTROPY, { onPolicy: true, temperature: 1 });
    recorder.submit();
    expect(Math.abs((await totalLoss()) / info.losses[0]! - 1)).toBeLessThan(1e-5);
    expect(worst(await learner.adapters(learner.parameters.grads), 'grad')).toBeLessThan(1e-4);
  });

  it('loss, gradient norm and adapters over five AdamW steps', async () => {
    const { learner, load, totalLoss, info, worst } = await golden(name, 128);
    const { lr, betas, eps, weight_decay, max_grad_norm } = info.optimizer;
    const settings = {
      learning_rate: lr,
      adam_beta1: betas[0],
      adam_beta2: betas[1],
      adam_epsilon: eps,
      weight_decay,
      max_grad_norm,
    };
    for (let step = 1; step <= info.losses.length; step++) {
      const recorder = gpu.recorder();
      learner.accumulate(recorder, load(), CROSS_ENTROPY, { onPolicy: true, temperature: 1 });
      learner.update(recorder, step, settings);
      recorder.submit();
      const norm = new Float32Array(await gpu.read(learner.optimizer.norm, 4))[0]!;
      expect(Math.abs((await totalLoss()) / info.losses[step - 1]! - 1)).toBeLessThan(1e-4);
      expect(Math.abs(norm / info.grad_norms[step - 1]! - 1)).toBeLessThan(1e-3);
    }
    expect(worst(await learner.adapters(), 'adamw')).toBeLessThan(1e-4);
  });
});

/** The same model with every tensor dequantised to f32. */
async function dequantised(model: Weights): Promise<Weights> {
  const entries = [...model.tensors].map(async ([name, entry]) => {
    const bytes = new Uint8Array((await readTensor(entry)).buffer);
    const file = {
      name,
      size: bytes.length,
      async *read(begin: number, end: number) {
        yield bytes.slice(begin, end);
      },
    };
    const { interleavedHeads: _, ...rest } = entry;
    return [name, { ...rest, type: 'F32', file, begin: 0, bytes: bytes.length }] as const;
  });
  return { ...model, tensors: new Map(await Promise.all(entries)) };
}

it('learns on a file of k-quants what it learns on the same weights dequantised', async () => {
  const model = await openModel(await modelFiles(`${root}checkpoints/llama3-k.gguf`));
  const layout = loraLayout(model.config, (module) => (/[qvo]_proj|down/.test(module) ? 4 : 0));
  const modules = new Map(
    [...initialLora(layout, 3)].map(([module, { a, b }]) => [
      module,
      { rank: 4, a, b: b.map((_, i) => 0.1 * Math.sin(i)) },
    ]),
  );
  const sequences = [Array.from({ length: 12 }, (_, i) => 7 + i)];
  const gradients = async (of: Weights) => {
    const { learner, load } = await learnerOf(of, modules, 2, sequences, 16);
    const recorder = gpu.recorder();
    learner.accumulate(recorder, load(), CROSS_ENTROPY, { onPolicy: true, temperature: 1 });
    recorder.submit();
    return learner.adapters(learner.parameters.grads);
  };
  const exact = await gradients(await dequantised(model));
  for (const [module, { a, b }] of await gradients(model)) {
    expect(relativeError(a, exact.get(module)!.a), module).toBeLessThan(1e-4);
    expect(relativeError(b, exact.get(module)!.b), module).toBeLessThan(1e-4);
  }
});

it('starts where the base is: A within its bounds, B zero, the same for a seed', async () => {
  const { config } = await openModel(await modelFiles(`${root}models/llama`));
  const layout = loraLayout(config, () => 4);
  const start = initialLora(layout, 1);
  const again = initialLora(layout, 1);
  for (const [name, { a, b }] of start) {
    const bound = 1 / Math.sqrt(a.length / 4);
    expect(Math.max(...a.map(Math.abs)) / bound).toBeGreaterThan(0.9);
    expect(Math.max(...a.map(Math.abs)) / bound).toBeLessThanOrEqual(1);
    expect(b.every((value) => value === 0)).toBe(true);
    expect(Buffer.from(a.buffer).equals(Buffer.from(again.get(name)!.a.buffer))).toBe(true);
  }
});
