/** @file Rotary position embedding on packed QKV lines. */
import type { Gpu, Tensor } from '../gpu/gpu';
import { f32, grid, type Recorder } from '../gpu/recorder';
import type { Kernel } from '../gpu/kernel';

export interface RopeOptions {
  headDim: number;
  heads: number;
  kvHeads: number;
}

/** A model's rotary embedding, in config.json's names. */
export interface RopeFrequencyOptions {
  head_dim: number;
  rope_theta: number;
  rope_scaling:
    | null
    | {
        rope_type: 'llama3';
        factor: number;
        low_freq_factor: number;
        high_freq_factor: number;
        original_max_position_embeddings: number;
      }
    | { rope_type: 'factors'; factors: readonly number[] };
}

/**
 * Radians a position for each pair of a head, [head_dim / 2]: 1 / theta^(2i / head_dim), scaled where the model says so.
 * Each step is rounded to f32, as Transformers computes it (modeling_rope_utils.py).
 */
export function ropeFrequencies(config: RopeFrequencyOptions): Float32Array<ArrayBuffer> {
  const { head_dim, rope_theta, rope_scaling: scaling } = config;
  const frequencies = new Float32Array(head_dim / 2);
  for (let i = 0; i < frequencies.length; i++) {
    const frequency = round(1 / round(rope_theta ** round((2 * i) / head_dim)));
    if (!scaling) frequencies[i] = frequency;
    else if (scaling.rope_type === 'factors') frequencies[i] = frequency / scaling.factors[i]!;
    else frequencies[i] = llama3Frequency(frequency, scaling);
  }
  return frequencies;
}

const round = Math.fround;

function llama3Frequency(
  frequency: number,
  scaling: Extract<RopeFrequencyOptions['rope_scaling'], { rope_type: 'llama3' }>,
): number {
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: context } = scaling;
  // PyTorch divides a number by a tensor by multiplying it by the tensor's reciprocals.
  const wavelength = round(round(1 / frequency) * round(2 * Math.PI));
  if (wavelength < context / high) return frequency;
  if (wavelength > context / low) return frequency / factor;
  const smooth = round(round(round(round(1 / wavelength) * context) - low) / (high - low));
  return round(round(round(round(1 - smooth) * frequency) / factor) + round(smooth * frequency));
}

/**
 * cos and sin of position × frequency as [positions, head_dim / 2, 2]. The angle is rounded to f32, as in Transformers:
 * at position 4096 that is up to 2e-4 radians, more than its cosine's own rounding by far.
 * @param positions how many, from 0 on, or which
 */
export function ropeTable(positions: number | Uint32Array, frequencies: Float32Array): Float32Array<ArrayBuffer> {
  const half = frequencies.length;
  const count = typeof positions === 'number' ? positions : positions.length;
  const table = new Float32Array(count * half * 2);
  for (let row = 0; row < count; row++) {
    const position = typeof positions === 'number' ? row : positions[row]!;
    for (let i = 0; i < half; i++) {
      const angle = round(position * frequencies[i]!);
      table[(row * half + i) * 2] = Math.cos(angle);
      table[(row * half + i) * 2 + 1] = Math.sin(angle);
    }
  }
  return table;
}

export class Rope {
  private constructor(
    private readonly pairs: number,
    private readonly rotate: Kernel,
  ) {}

  static async create(gpu: Gpu, { headDim, heads, kvHeads }: RopeOptions): Promise<Rope> {
    const constants = {
      HEAD_DIM: headDim,
      ROTATED_HEADS: heads + kvHeads,
      STRIDE: (heads + 2 * kvHeads) * headDim,
    };
    return new Rope(((heads + kvHeads) * headDim) / 2, await gpu.kernel('train/layers/rope', { constants }));
  }

  /** Rotates queries and keys of qkv [rows, (heads + 2 kvHeads) headDim] in place. */
  forward(recorder: Recorder, qkv: Tensor, positions: Tensor, table: Tensor, rows: number): void {
    this.record(recorder, [qkv, positions, table], rows, 1);
  }

  /** Rotates the gradient back, in place. */
  backward(recorder: Recorder, dQkv: Tensor, positions: Tensor, table: Tensor, rows: number): void {
    this.record(recorder, [dQkv, positions, table], rows, -1);
  }

  private record(recorder: Recorder, bindings: readonly Tensor[], rows: number, sign: number): void {
    const groups = grid(Math.ceil((rows * this.pairs) / 256));
    recorder.dispatch(this.rotate, bindings, [rows, f32(sign)], groups);
  }
}
