/** @file Pretrains a decoder by next-token cross-entropy on a recipe's mixture; resumable from its checkpoints. */
import type { DecoderConfig } from '../../formats/hf/hf-config';
import { readSafetensors, toFloat32, writeSafetensors } from '../../formats/hf/safetensors';
import type { Gpu } from '../../gpu/gpu';
import { initialParameters } from '../../model/train/initialise';
import { Learner } from '../../model/train/learner';
import { CROSS_ENTROPY } from '../../nn/train/policy-loss';
import { rng } from '../../base/rng';
import { encodeSample, sample } from './corpus';
import { longestSequence, type Recipe } from './recipe';
import { pretrainLearningRate } from '../schedule';

export interface PretrainProgress {
  step: number;
  /** Mean cross-entropy in nats a token, over all predicted tokens. */
  loss: number;
  grad_norm: number;
  learning_rate: number;
  tokens: number;
}

/** Keys of the random streams, so that weights and samples don't share one. */
const WEIGHTS = 1;
const SAMPLES = 2;
const MOMENTS = 'adam.moments';

export class Pretrainer {
  private step = 0;

  private constructor(
    private readonly recipe: Recipe,
    private readonly learner: Learner,
  ) {}

  static async create(gpu: Gpu, config: DecoderConfig, recipe: Recipe, maxTokens: number): Promise<Pretrainer> {
    const maxPositions = longestSequence(recipe.mixture);
    const plan = {
      maxTokens,
      maxPositions,
      batchRows: recipe.batch_size * maxPositions,
      batchSequences: recipe.batch_size,
      reference: false,
    };
    const loss = { objective: 'cross_entropy', sequenceRatio: false, klRatio: false } as const;
    const learner = await Learner.create(gpu, config, plan, loss);
    const { initializer_range } = recipe.model;
    learner.setParameters(initialParameters(rng(recipe.seed, WEIGHTS), config, initializer_range));
    return new Pretrainer(recipe, learner);
  }

  get completed(): number {
    return this.step;
  }

  /** One optimizer step. Batches are keyed by the step, so a resumed run sees what an unbroken one would have. */
  async next(): Promise<() => Promise<PretrainProgress>> {
    const { recipe, learner } = this;
    this.step++;
    const random = rng(recipe.seed, SAMPLES, this.step);
    const completions = Array.from({ length: recipe.batch_size }, () => encodeSample(sample(random, recipe.mixture)));
    const tokens = completions.reduce((sum, ids) => sum + ids.length - 1, 0);
    const groups = completions.map((ids) => ({ prompt: [], completions: [ids] }));
    const batch = learner.load(groups, () => ({ advantage: 0, weight: 1 / tokens }));
    const recorder = learner.gpu.recorder();
    learner.accumulate(recorder, batch, CROSS_ENTROPY, { onPolicy: true, temperature: 1 });
    const learning_rate = pretrainLearningRate(recipe, this.step);
    learner.update(recorder, this.step, { ...recipe, learning_rate });
    const stats = recorder.read(learner.stats, recipe.batch_size * 32);
    const norm = recorder.read(learner.optimizer.norm, 4);
    recorder.submit();
    const { step } = this;
    return async () => {
      const values = new Float32Array(await stats);
      let loss = 0;
      for (let i = 0; i < recipe.batch_size; i++) loss += values[i * 8]!;
      return { step, loss, grad_norm: new Float32Array(await norm)[0]!, learning_rate, tokens };
    };
  }

  /** Weights under their Hugging Face names, moments and step. */
  async checkpoint(): Promise<Uint8Array<ArrayBuffer>> {
    const { learner } = this;
    const moments = new Float32Array(await learner.gpu.read(learner.optimizer.moments, learner.layout.count * 8));
    const tensors = [...(await learner.parameters()), { name: MOMENTS, shape: [moments.length], data: moments }];
    return writeSafetensors(tensors, 'F32', { step: String(this.step) });
  }

  /** @throws Error when the file is not a checkpoint of this recipe's model */
  restore(bytes: Uint8Array): void {
    const { tensors, metadata } = readSafetensors(bytes);
    const step = Number(metadata.step);
    const moments = tensors.get(MOMENTS);
    if (!Number.isInteger(step) || !moments) throw new Error('the file is not a pretraining checkpoint');
    const named = new Map([...tensors].map(([name, tensor]) => [name, { data: toFloat32(tensor) }]));
    this.learner.restore({ parameters: named, reference: named, moments: toFloat32(moments) });
    this.step = step;
  }

  parameters() {
    return this.learner.parameters();
  }
}
