/** @file Adapters merged into weights, against PEFT; a policy that samples with what its learner has learned. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { folderSource } from '../../../src/cli/files';
import { modelFiles } from '../../../src/cli/model-files';
import { openModel } from '../../../src/formats/open-model';
import { readPeft } from '../../../src/formats/hf/peft';
import { readSafetensors, toFloat32 } from '../../../src/formats/hf/safetensors';
import type { Gpu } from '../../../src/gpu/gpu';
import { InferenceModel } from '../../../src/model/infer/inference-model';
import { inferencePlan } from '../../../src/model/infer/inference-plan';
import { loraLayout, loraTargets } from '../../../src/model/lora/lora-layout';
import { LoraLearner } from '../../../src/model/lora/lora-learner';
import { LoraPolicy } from '../../../src/model/lora/lora-policy';
import { loadPackedParameters } from '../../../src/model/infer/packed-parameters';
import { planWeights } from '../../../src/model/infer/weight-plan';
import { openTestGpu } from '../../support/gpu';
import { goldenModels, loadGolden, relativeError } from '../goldens';

const root = new URL('../../goldens/', import.meta.url).pathname;

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.destroy());

it.each([...goldenModels, 'patterns'] as const)(
  '%s: merged at load, the logits are those that PEFT computes',
  async (name) => {
    const base = name === 'patterns' ? 'llama' : name;
    const { sequences } = await loadGolden(base);
    const model = await openModel(await modelFiles(`${root}models/${base}`));
    const adapter = await readPeft(folderSource(`${root}lora/${name}`), loraTargets(model.config));
    const options = { cache: 'f32', context: 80, prefillTokens: 1 } as const;
    const plan = inferencePlan(model.config, (tensor) => model.tensors.get(tensor)!.type, options);
    const before = gpu.allocated;
    const merged = await InferenceModel.load(gpu, model, plan, undefined, undefined, adapter);
    const ids = sequences.at(-1)!;
    const tokens = gpu.alloc('ids', 4 * ids.length);
    gpu.write(tokens, Uint32Array.from(ids));
    const recorder = gpu.recorder();
    const reads: Promise<ArrayBuffer>[] = [];
    // In sixteens, for as many positions are placed at once.
    for (let at = 0; at < 32; at += 16) {
      merged.placeSteps(at, 16);
      for (let step = 0; step < 16; step++) {
        merged.recordDecode(recorder, tokens, at + step, step, at + step);
        reads.push(recorder.read(merged.buffers.work.logits, 4 * model.config.vocab_size));
      }
      recorder.submit();
    }
    const logits = (await Promise.all(reads)).flatMap((row) => [...new Float32Array(row)]);
    const { tensors } = readSafetensors(readFileSync(`${root}lora/${name}.golden.safetensors`));
    expect(relativeError(logits, toFloat32(tensors.get('logits')!).subarray(0, logits.length))).toBeLessThan(1e-5);
    merged.free();
    gpu.free(tokens);
    expect(gpu.allocated).toBe(before);
  },
);

it('a learner takes the bytes that it says', async () => {
  const model = await openModel(await modelFiles(`${root}models/qwen2`));
  const { config } = model;
  const base = await loadPackedParameters(
    gpu,
    model,
    planWeights(config, (name) => model.tensors.get(name)!.type, 'stored'),
  );
  const layout = loraLayout(config, () => 8);
  const plan = { maxTokens: 512, maxPositions: 64, batchRows: 512, batchSequences: 8, reference: true };
  const before = gpu.allocated;
  const loss = { objective: 'clip', sequenceRatio: false, klRatio: false } as const;
  await LoraLearner.create(gpu, config, base, { layout, scale: 1 }, plan, loss);
  const planned = Object.values(LoraLearner.bytes(gpu, config, layout, plan)).reduce((sum, bytes) => sum + bytes, 0);
  expect(Math.abs(planned / (gpu.allocated - before) - 1)).toBeLessThan(0.05);
});

// The sampler's cache is in f16, and so are its merged copies of quantised matrices.
it.each(['models/llama', 'checkpoints/llama3-k.gguf'])('%s: samples what its learner scores', async (path) => {
  const model = await openModel(await modelFiles(root + path));
  const policy = await LoraPolicy.create(gpu, model, {
    lora: { r: 4, lora_alpha: 16, target_modules: ['q_proj', 'v_proj', 'down_proj'] },
    quant: 'stored',
    learner: { maxTokens: 64, maxPositions: 24, batchRows: 64, batchSequences: 4, reference: true },
    loss: { objective: 'clip', sequenceRatio: false, klRatio: false },
    slots: 4,
    seed: 5,
  });
  const { learner } = policy;
  const prompt = [5, 9, 17, 30];
  const settings = {
    epsilon: 0.2,
    epsilon_high: 0.2,
    delta: null,
    beta: 0.1,
    sapo_temperature_pos: 1,
    sapo_temperature_neg: 1,
  };
  const adamw = {
    learning_rate: 0.02,
    adam_beta1: 0.9,
    adam_beta2: 0.99,
    adam_epsilon: 1e-8,
    weight_decay: 0,
    max_grad_norm: 1,
  };
  const changes: number[] = [];
  for (let step = 1; step <= 3; step++) {
    const sampling = { temperature: 0.8, top_k: 0, top_p: 1, max_new_tokens: 12, seed: 3, stream: step };
    const samples = await policy.sample(prompt, 4, sampling);
    expect(new Set(samples.map(({ ids }) => ids.join())).size).toBeGreaterThan(1);
    const batch = learner.load([{ prompt, completions: samples.map(({ ids }) => ids) }], (i) => ({
      advantage: i - 1.5,
      weight: 0.02,
    }));
    const recorder = gpu.recorder();
    learner.score(recorder, batch, learner.reference!, learner.rows.refLogp, 0.8);
    learner.accumulate(recorder, batch, settings, true, 0.8);
    const rows = 4 * batch.batch.rows;
    const reads = Promise.all([recorder.read(learner.rows.logp, rows), recorder.read(learner.rows.refLogp, rows)]);
    learner.update(recorder, step, adamw);
    recorder.submit();
    const [scored, reference] = (await reads).map((data) => new Float32Array(data));
    const sampled = samples.flatMap(({ logprobs }) => logprobs);
    expect(relativeError(scored!, sampled)).toBeLessThan(5e-3);
    changes.push(relativeError(scored!, reference!));
    policy.adaptersChanged();
  }
  // B starts at zero: the first policy is the reference, and no later one is.
  expect(changes[0]).toBe(0);
  expect(changes[1]).toBeGreaterThan(1e-2);
  expect(changes[2]).toBeGreaterThan(changes[1]!);
});
