/** @file The decoder, its gradients and AdamW against PyTorch and Transformers, through the goldens. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../../src/gpu/gpu';
import { Learner } from '../../../src/model/train/learner';
import { openTestGpu } from '../../support/gpu';
import { goldenModels, loadGolden, relativeError } from '../goldens';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.destroy());

const noChatModel = {
  epsilon: 0.2,
  epsilon_high: 0.2,
  delta: null,
  beta: 0,
  sapo_temperature_pos: 1,
  sapo_temperature_neg: 1,
};

async function goldenLearner(name: (typeof goldenModels)[number], maxTokens: number) {
  const golden = await loadGolden(name);
  const plan = { maxTokens, maxPositions: 80, batchRows: 128, batchSequences: 8, reference: false, decayAll: true };
  const loss = { objective: 'cross_entropy', sequenceRatio: false, klRatio: false } as const;
  const learner = await Learner.create(gpu, golden.model.config, plan, loss);
  learner.setParameters(golden.weights);
  const targets = golden.sequences.reduce((sum, sequence) => sum + sequence.length - 1, 0);
  const groups = golden.sequences.map((sequence) => ({ prompt: [], completions: [sequence] }));
  const load = () => learner.load(groups, () => ({ advantage: 0, weight: 1 / targets }));
  const totalLoss = async () => {
    const stats = new Float32Array(await gpu.read(learner.stats, golden.sequences.length * 32));
    return golden.sequences.reduce((sum, _, i) => sum + stats[i * 8]!, 0);
  };
  return { ...golden, learner, load, totalLoss };
}

describe.each(goldenModels)('%s', (name) => {
  // 128 holds the batch whole; 72 makes two micro-batches of it.
  it.each([128, 72])('loss and gradients of every parameter, in micro-batches of %i tokens', async (maxTokens) => {
    const { learner, load, totalLoss, info, tensor } = await goldenLearner(name, maxTokens);
    const recorder = gpu.recorder();
    learner.accumulate(recorder, load(), noChatModel, { onPolicy: true, temperature: 1 });
    recorder.submit();
    expect(Math.abs((await totalLoss()) - info.loss) / info.loss).toBeLessThan(1e-5);
    for (const { name: parameter, data } of await learner.parameters(learner.grads)) {
      expect(relativeError(data, tensor(`grad.${parameter}`)), parameter).toBeLessThan(1e-4);
    }
  });

  it('logits at every position, alone and behind a shared prompt', async () => {
    const { learner, sequences, tensor, model } = await goldenLearner(name, 128);
    const vocab = model.config.vocab_size;
    const expected = tensor('logits');
    const longest = sequences[3]!;
    const offset = (sequences[0]!.length + sequences[1]!.length + sequences[2]!.length) * vocab;
    for (const prompt of [0, 20]) {
      const groups = [
        { prompt: longest.slice(0, prompt), completions: [longest.slice(prompt), longest.slice(prompt, 40)] },
      ];
      const { slots } = learner.load(groups, () => ({ advantage: 0, weight: 1 }));
      const recorder = gpu.recorder();
      learner.decoder.forwardLogits(recorder, learner.params, slots[0]!);
      recorder.submit();
      const logits = new Float32Array(await gpu.read(learner.decoder.buffers.logits, slots[0]!.rows * vocab * 4));
      const first = Math.max(prompt, 1);
      const whole = longest.length - first;
      const from = (start: number, rows: number) =>
        expected.subarray(offset + start * vocab, offset + (start + rows) * vocab);
      expect(relativeError(logits.subarray(0, whole * vocab), from(first - 1, whole))).toBeLessThan(1e-5);
      expect(relativeError(logits.subarray(whole * vocab), from(first - 1, 40 - first))).toBeLessThan(1e-5);
    }
  });

  it('loss, gradient norm and weights over five AdamW steps', async () => {
    const { learner, load, totalLoss, info, tensor } = await goldenLearner(name, 128);
    const { lr, betas, eps, weight_decay, max_grad_norm, steps } = info.optimizer;
    const settings = {
      learning_rate: lr,
      adam_beta1: betas[0],
      adam_beta2: betas[1],
      adam_epsilon: eps,
      weight_decay,
      max_grad_norm,
    };
    for (let step = 1; step <= steps; step++) {
      const recorder = gpu.recorder();
      learner.accumulate(recorder, load(), noChatModel, { onPolicy: true, temperature: 1 });
      learner.update(recorder, step, settings);
      recorder.submit();
      const norm = new Float32Array(await gpu.read(learner.optimizer.norm, 4))[0]!;
      expect(Math.abs((await totalLoss()) / info.losses[step - 1]! - 1)).toBeLessThan(1e-4);
      expect(Math.abs(norm / info.grad_norms[step - 1]! - 1)).toBeLessThan(1e-3);
    }
    for (const { name: parameter, data } of await learner.parameters()) {
      expect(relativeError(data, tensor(`adamw.${parameter}`)), parameter).toBeLessThan(1e-3);
    }
  });
});
