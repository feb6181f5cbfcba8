/** @file A small model folder, a run's events and a deterministic engine for the tests of src/runs. */
import { readFileSync } from 'node:fs';
import { mapSource } from '../../src/formats/files/file-source';
import { parameterShapes } from '../../src/formats/hf/architecture';
import { parseDecoderConfig } from '../../src/formats/hf/hf-config';
import { loadModelFolder } from '../../src/formats/hf/model-folder';
import type { ModelFolder } from '../../src/formats/hf/model-folder';
import { readSafetensors, toFloat32, writeSafetensors } from '../../src/formats/hf/safetensors';
import type { LiveConfig, RunConfig } from '../../src/rl/config';
import type { EngineSession, StepResult } from '../../src/rl/session';
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
export const tinyFolder = (): Promise<ModelFolder> => loadModelFolder(mapSource('tiny', tinyFiles()));

export function startedEvent(patch: Partial<StartedEvent> = {}): StartedEvent {
  return {
    type: 'started',
    schema: 1,
    run_id: 'run-1',
    time: '2026-01-02T03:04:05.678Z',
    config: defaultRunConfig,
    model: { name: 'tinythink-1m', parameters: 861312, architecture: 'LlamaForCausalLM' },
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
}

/**
 * An engine whose whole state is one number in `model.norm.weight`: a step sets it to 2·state + step + seed. So the
 * state after n steps tells which steps were made, in which order, from which start.
 */
export class TestEngine implements EngineSession {
  readonly lost: Promise<string>;
  lose!: (reason: string) => void;
  destroyed = false;
  busy = 0;
  state = 1;
  readonly lives: LiveConfig[] = [];

  constructor(
    readonly config: RunConfig,
    readonly folder: ModelFolder,
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

  evaluateBeforeColdStart() {
    return Promise.resolve({ metrics: { eval_accuracy: -1, state: this.state }, samples: [] });
  }

  async checkpoint(): Promise<Uint8Array> {
    return writeSafetensors([
      ...(await this.exportTensors()),
      { name: 'adam_m.model.norm.weight', shape: [1], data: Float32Array.of(7) },
    ]);
  }

  restore(bytes: Uint8Array): Promise<void> {
    this.state = toFloat32(readSafetensors(bytes).tensors.get('model.norm.weight')!)[0]!;
    return Promise.resolve();
  }

  exportTensors() {
    if (this.busy > 0) return Promise.reject(new Error('two calls at once'));
    const tensors = [...this.folder.tensors].map(([name, { shape, data }]) => ({ name, shape, data: data.slice() }));
    for (const tensor of tensors) if (tensor.name === 'model.norm.weight') tensor.data.fill(this.state);
    return Promise.resolve(tensors);
  }

  destroy(): void {
    this.destroyed = true;
  }
}
