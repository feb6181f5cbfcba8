/** @file The decoder in float64 on the CPU, straight from an opened model: slow, plain, and with nothing of the engine's. */
import { readTensor } from '../../src/formats/gguf/dequantise';
import type { Model } from '../../src/formats/model';
import { ropeFrequencies } from '../../src/nn/rope';

type Vector = Float64Array;

/** Logits at every position of a sequence, [tokens][vocab]. */
export async function referenceLogits(
  model: Pick<Model, 'config' | 'tensors'>,
  ids: readonly number[],
): Promise<Vector[]> {
  const { config } = model;
  const weights = new Map<string, Float32Array>();
  for (const [name, entry] of model.tensors) weights.set(name, await readTensor(entry));
  const weight = (name: string) => weights.get(name)!;
  const hidden = config.hidden_size;
  const [heads, kvHeads, headDim] = [config.num_attention_heads, config.num_key_value_heads, config.head_dim];
  const frequencies = ropeFrequencies(config);
  const embedding = weight('model.embed_tokens.weight');

  const project = (name: string, x: Vector): Vector => {
    const matrix = weight(`${name}.weight`);
    const bias = weights.get(`${name}.bias`);
    return Float64Array.from({ length: matrix.length / x.length }, (_, row) => {
      let sum = bias?.[row] ?? 0;
      for (let i = 0; i < x.length; i++) sum += matrix[row * x.length + i]! * x[i]!;
      return sum;
    });
  };
  const norm = (name: string, x: Vector): Vector => {
    const mean = x.reduce((sum, v) => sum + v * v, 0) / x.length;
    const scale = 1 / Math.sqrt(mean + config.rms_norm_eps);
    const gain = weight(`${name}.weight`);
    return x.map((v, i) => v * scale * gain[i]!);
  };
  const rotate = (x: Vector, position: number): Vector => {
    const half = headDim / 2;
    return x.map((v, i) => {
      const angle = Math.fround(position * frequencies[i % half]!);
      const other = i < half ? -x[i + half]! : x[i - half]!;
      return v * Math.cos(angle) + other * Math.sin(angle);
    });
  };
  const perHead = (x: Vector, normName: string | null, position: number): Vector[] =>
    Array.from({ length: x.length / headDim }, (_, head) => {
      const part = x.slice(head * headDim, (head + 1) * headDim);
      return rotate(normName ? norm(normName, part) : part, position);
    });

  let lines: Vector[] = ids.map((id) => Float64Array.from(embedding.subarray(id * hidden, (id + 1) * hidden)));
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const at = (name: string) => `model.layers.${layer}.${name}`;
    const keys: Vector[][] = [];
    const values: Vector[] = [];
    lines = lines.map((x, position) => {
      const normed = norm(at('input_layernorm'), x);
      const named = (kind: string) => (config.qk_norm ? at(`self_attn.${kind}_norm`) : null);
      const queries = perHead(project(at('self_attn.q_proj'), normed), named('q'), position);
      keys.push(perHead(project(at('self_attn.k_proj'), normed), named('k'), position));
      values.push(project(at('self_attn.v_proj'), normed));
      const attended = new Float64Array(heads * headDim);
      queries.forEach((query, head) => {
        const kv = Math.floor(head / (heads / kvHeads));
        const scores = keys.map((key) => dot(query, key[kv]!) / Math.sqrt(headDim));
        const most = Math.max(...scores);
        const shares = scores.map((score) => Math.exp(score - most));
        const total = shares.reduce((a, b) => a + b);
        shares.forEach((share, past) => {
          for (let i = 0; i < headDim; i++) {
            attended[head * headDim + i]! += (share / total) * values[past]![kv * headDim + i]!;
          }
        });
      });
      const middle = add(x, project(at('self_attn.o_proj'), attended));
      const normed2 = norm(at('post_attention_layernorm'), middle);
      const up = project(at('mlp.up_proj'), normed2);
      const gate = project(at('mlp.gate_proj'), normed2);
      const active = up.map((v, i) => (v * gate[i]!) / (1 + Math.exp(-gate[i]!)));
      return add(middle, project(at('mlp.down_proj'), active));
    });
  }
  const head = config.tie_word_embeddings ? 'model.embed_tokens' : 'lm_head';
  return lines.map((x) => project(head, norm('model.norm', x)));
}

const add = (a: Vector, b: Vector): Vector => a.map((v, i) => v + b[i]!);
const dot = (a: Vector, b: Vector): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
