/** @file A small model, a run's events and a deterministic training session, for tests that need no GPU. */
import { readFileSync } from 'node:fs';
import type { TrainingSession, WhichWeights } from '../../src/engine/training/session';
import { mapFiles } from '../../src/formats/files/memory-files';
import { parameterShapes } from '../../src/formats/hf/architecture';
import { parseDecoderConfig } from '../../src/formats/hf/hf-config';
import { writeSafetensors } from '../../src/formats/hf/safetensors';
import { readWeights, type Model } from '../../src/formats/model';
import { openModel } from '../../src/formats/open-model';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/rl/checkpoint';
import type { LiveConfig, RunConfig } from '../../src/rl/config';
import type { StepResult } from '../../src/rl/step-result';
import type { ChatModel } from '../../src/runs/chat-model';
import { defaultRunConfig } from '../../src/runs/config';
import type { RunEvent, StartedEvent, StepEvent } from '../../src/runs/events';

const embedded = new URL('../../public/models/tinythink-1m/', import.meta.url);
const read = (name: string) => new Uint8Array(readFileSync(new URL(name, embedded)));

/** The embedded model's folder, shrunk to one layer of width 8; every weight is 1. */
export function tinyFiles(): Map<string, Uint8Array> {
  const config = {
    ...JSON.parse(new TextDecoder().decode(read('config.json'))),
    hidden_size: 8,
    head_dim: 4,
    num_attention_heads: 2,
    num_key_value_heads: 2,
    intermediate_size: 12,
    num_hidden_layers: 1,
  };
  const weights = parameterShapes(parseDecoderConfig(config)).map(({ name, shape }) => ({
    name,
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1),
  }));
  return new Map([
    ['config.json', new TextEncoder().encode(JSON.stringify(config))],
    ['tokenizer.json', read('tokenizer.json')],
    ['tokenizer_config.json', read('tokenizer_config.json')],
    ['model.safetensors', writeSafetensors(weights)],
  ]);
}
export const tinyModel = (): Promise<Model> => openModel(mapFiles('tiny', tinyFiles()));

export function startedEvent(patch: Partial<StartedEvent> = {}): StartedEvent {
  return {
    type: 'started',
    schema: 1,
    run_id: 'run-1',
    time: '2026-01-02T03:04:05.678Z',
    config: defaultRunConfig,
    model: { name: 'tinythink-1m', parameters: 861312, architecture: 'LlamaForCausalLM', reads_language: false },
    device: { kind: 'webgpu', description: 'test' },
    seed: 0,
    ...patch,
  };
}

export function stepEvent(step: number, metrics: Record<string, number> = { loss: 0.5, grad_norm: 1 }): StepEvent {
  const completion = {
    text: '<answer>3',
    token_ids: [5, 10],
    tokens: ['<answer>', '3'],
    logprobs: [-0.25, -1.5],
    logprobs_after: [-0.2, -1.75],
    rewards: { accuracy: 1, format: null },
    reward: 1,
    advantage: 0.7,
    truncated: true,
    style: 'unformatted',
  };
  const groups = [{ prompt: '1+2=', answer: '3', mean: 0.5, std: 0.1, completions: [completion, completion] }];
  return { type: 'step', step, metrics, groups, timings: { total: 12.5 } };
}

export const evalEvent = (step: number, accuracy = 0.5): RunEvent => ({
  type: 'eval',
  step,
  metrics: { eval_accuracy: accuracy },
  samples: [{ prompt: '1+2=', answer: '3', text: '3', correct: true }],
});

export interface EnginePlan {
  /** Called before each step is computed; may throw, or lose the device. */
  beforeStep?(step: number, engine: TestEngine): void | Promise<void>;
  metrics?(step: number): Record<string, number>;
  /** The model to chat with that shares the session's memory; none when left out. */
  chatModel?(weights: WhichWeights, engine: TestEngine): ChatModel;
}

/**
 * A training session whose whole state is one number in `model.norm.weight`: a step sets it to 2·state + step + seed. So the
 * state after n steps tells which steps were made, in which order, from which start.
 */
export class TestEngine implements TrainingSession {
  readonly lost: Promise<string>;
  lose!: (reason: string) => void;
  destroyed = false;
  busy = 0;
  state = 1;
  readonly lives: LiveConfig[] = [];

  constructor(
    readonly config: RunConfig,
    readonly model: Model,
    readonly plan: EnginePlan = {},
  ) {
    this.lost = new Promise((resolve) => (this.lose = resolve));
  }

  async step(step: number, live: LiveConfig): Promise<StepResult> {
    if (this.busy++ > 0) throw new Error('two calls at once');
    this.lives.push({ ...live });
    await new Promise((resolve) => setTimeout(resolve, 1));
    await this.plan.beforeStep?.(step, this);
    this.state = 2 * this.state + step + this.config.seed;
    this.busy--;
    const { metrics, groups, timings } = stepEvent(step, this.plan.metrics?.(step) ?? { loss: 0.1, state: this.state });
    return { metrics, groups, timings };
  }

  evaluate(step: number) {
    return Promise.resolve({ metrics: { eval_accuracy: step / 100, state: this.state }, samples: [] });
  }

  evaluateBeforeSft() {
    return Promise.resolve({ metrics: { eval_accuracy: -1, state: this.state }, samples: [] });
  }

  async checkpoint(): Promise<Uint8Array> {
    if (this.busy > 0) throw new Error('two calls at once');
    const weights = [...(await readWeights(this.model))].map(([name, tensor]) => ({ name, ...tensor }));
    for (const { name, data } of weights) if (name === 'model.norm.weight') data.fill(this.state);
    const moments = Float32Array.of(7);
    return encodeCheckpoint({ updates: 0, tokens: 0, parameters: weights, moments, reference: [], adapter: null });
  }

  restore(bytes: Uint8Array): Promise<void> {
    this.state = decodeCheckpoint(bytes).parameters.find(({ name }) => name === 'model.norm.weight')!.data[0]!;
    return Promise.resolve();
  }

  chatModel(weights: WhichWeights): ChatModel | null {
    return this.plan.chatModel?.(weights, this) ?? null;
  }

  destroy(): void {
    this.destroyed = true;
  }
}
