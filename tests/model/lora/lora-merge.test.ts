/** @file Adapters merged into weights as they are loaded, against PEFT; and the memory that a learner takes. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { modelFiles } from '../../../src/cli/model-files';
import { readPeft } from '../../../src/formats/hf/peft';
import { readSafetensors, toFloat32 } from '../../../src/formats/hf/safetensors';
import { openModel } from '../../../src/formats/open-model';
import type { Gpu } from '../../../src/gpu/gpu';
import { InferenceModel } from '../../../src/model/infer/inference-model';
import { inferencePlan } from '../../../src/model/infer/inference-plan';
import { loadPackedParameters } from '../../../src/model/infer/packed-parameters';
import { planWeights } from '../../../src/model/infer/weight-plan';
import { loraLayout, loraTargets } from '../../../src/model/lora/lora-layout';
import { LoraLearner } from '../../../src/model/lora/lora-learner';
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
    const { model, sequences } = await loadGolden(base);
    const adapter = await readPeft(await modelFiles(`${root}lora/${name}`), loraTargets(model.config));
    const options = { cache: 'f32', context: 80, prefillTokens: 1 } as const;
    const plan = inferencePlan(model.config, (tensor) => model.tensors.get(tensor)!.type, options);
    const before = gpu.allocated;
    const merged = await InferenceModel.load(gpu, { ...model, adapter }, plan);
    const ids = sequences.at(-1)!;
    const tokens = gpu.alloc('ids', 4 * ids.length);
    gpu.write(tokens, Uint32Array.from(ids));
    const recorder = gpu.recorder();
    const reads: Promise<ArrayBuffer>[] = [];
    // Sixteen at a time, which is how many positions are placed at once.
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
  const weights = planWeights(config, (name) => model.tensors.get(name)!.type, 'stored');
  const base = await loadPackedParameters(gpu, model, weights);
  const layout = loraLayout(config, () => 8);
  const plan = { maxTokens: 512, maxPositions: 64, batchRows: 512, batchSequences: 8, reference: true };
  const before = gpu.allocated;
  const loss = { objective: 'clip', sequenceRatio: false, klRatio: false } as const;
  await LoraLearner.create(gpu, { config, base, lora: { layout, scale: 1 }, plan, loss });
  const planned = Object.values(LoraLearner.bytes(gpu, config, layout, plan)).reduce((sum, bytes) => sum + bytes, 0);
  expect(Math.abs(planned / (gpu.allocated - before) - 1)).toBeLessThan(0.05);
});
