/**
 * @file Where a decoder's parameters lie: one flat f32 buffer, so that clipping and AdamW are one dispatch each. Matrices
 * that are multiplied together lie together (q, k, v; gate, up). Every layer has the same layout, a fixed stride apart.
 */
import type { DecoderConfig } from '../../formats/hf/hf-config';
import { slice, type Gpu, type Tensor } from '../../gpu/gpu';

/** Values; WebGPU binds at multiples of 256 bytes. */
const ALIGNMENT = 64;

interface Part {
  /** Hugging Face's name, `{layer}` standing for the layer's number. */
  name: string;
  shape: number[];
}

export type BlockName = 'norm1' | 'qkv' | 'qkvBias' | 'qNorm' | 'kNorm' | 'out' | 'norm2' | 'gateUp' | 'down';
export type ModelBlockName = 'embedding' | 'finalNorm' | 'head';

interface Block {
  /** Values from the start of the layer (or of the model). */
  offset: number;
  size: number;
  /** The Hugging Face tensors it holds, stacked in order. */
  parts: Part[];
  /** Matrices decay; norms and biases don't, as in Transformers' Trainer. */
  matrix: boolean;
}

export interface ParameterLayout {
  /** Values of the whole buffer. */
  count: number;
  layers: { start: number; stride: number; blocks: Partial<Record<BlockName, Block>> };
  model: Partial<Record<ModelBlockName, Block>>;
}

export function parameterLayout(config: DecoderConfig): ParameterLayout {
  const { hidden_size: hidden, intermediate_size: intermediate, head_dim: headDim, vocab_size: vocab } = config;
  const q = config.num_attention_heads * headDim;
  const kv = config.num_key_value_heads * headDim;
  let next = 0;
  const block = (parts: Part[], matrix: boolean): Block => {
    const size = parts.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0);
    const made = { offset: next, size, parts, matrix };
    next = Math.ceil((next + size) / ALIGNMENT) * ALIGNMENT;
    return made;
  };
  const vector = (name: string, size: number) => block([{ name, shape: [size] }], false);
  const at = (name: string) => `model.layers.{layer}.${name}`;
  const attention = (suffix: string, shape: (rows: number) => number[]) => [
    { name: at(`self_attn.q_proj.${suffix}`), shape: shape(q) },
    { name: at(`self_attn.k_proj.${suffix}`), shape: shape(kv) },
    { name: at(`self_attn.v_proj.${suffix}`), shape: shape(kv) },
  ];
  const blocks: Partial<Record<BlockName, Block>> = {
    norm1: vector(at('input_layernorm.weight'), hidden),
    qkv: block(
      attention('weight', (rows) => [rows, hidden]),
      true,
    ),
    ...(config.qkv_bias && {
      qkvBias: block(
        attention('bias', (rows) => [rows]),
        false,
      ),
    }),
    ...(config.qk_norm && {
      qNorm: vector(at('self_attn.q_norm.weight'), headDim),
      kNorm: vector(at('self_attn.k_norm.weight'), headDim),
    }),
    out: block([{ name: at('self_attn.o_proj.weight'), shape: [hidden, q] }], true),
    norm2: vector(at('post_attention_layernorm.weight'), hidden),
    gateUp: block(
      ['gate', 'up'].map((name) => ({ name: at(`mlp.${name}_proj.weight`), shape: [intermediate, hidden] })),
      true,
    ),
    down: block([{ name: at('mlp.down_proj.weight'), shape: [hidden, intermediate] }], true),
  };
  const stride = next;
  next = config.num_hidden_layers * stride;
  const model: Partial<Record<ModelBlockName, Block>> = {
    embedding: block([{ name: 'model.embed_tokens.weight', shape: [vocab, hidden] }], true),
    finalNorm: vector('model.norm.weight', hidden),
    ...(!config.tie_word_embeddings && { head: block([{ name: 'lm_head.weight', shape: [vocab, hidden] }], true) }),
  };
  return { count: next, layers: { start: 0, stride, blocks }, model };
}

/** Views of one flat buffer of the layout's size: parameters, or their gradients. */
export interface ParameterViews {
  flat: Tensor;
  layers: Partial<Record<BlockName, Tensor>>[];
  embedding: Tensor;
  finalNorm: Tensor;
  /** The embedding when tied. */
  head: Tensor;
}

export function allocateParameters(
  gpu: Gpu,
  label: string,
  layout: ParameterLayout,
  layerCount: number,
): ParameterViews {
  const flat = gpu.alloc(label, layout.count * 4);
  const view = (start: number, { offset, size }: Block) => slice(flat, (start + offset) * 4, size * 4);
  const layers = Array.from({ length: layerCount }, (_, layer) =>
    Object.fromEntries(
      Object.entries(layout.layers.blocks).map(([name, block]) => [name, view(layer * layout.layers.stride, block)]),
    ),
  );
  const embedding = view(0, layout.model.embedding!);
  const head = layout.model.head ? view(0, layout.model.head) : embedding;
  return { flat, layers, embedding, finalNorm: view(0, layout.model.finalNorm!), head };
}

export interface NamedTensor {
  name: string;
  shape: number[];
  data: Float32Array<ArrayBuffer>;
}

/** Hugging Face's tensors with their place in the flat buffer, in values. */
export function* namedRanges(
  layout: ParameterLayout,
  layerCount: number,
): Generator<Part & { start: number; size: number }> {
  function* ranges(base: number, layer: string, block: Block) {
    let start = base + block.offset;
    for (const { name, shape } of block.parts) {
      const size = shape.reduce((a, b) => a * b);
      yield { name: name.replace('{layer}', layer), shape, start, size };
      start += size;
    }
  }
  yield* ranges(0, '', layout.model.embedding!);
  for (let layer = 0; layer < layerCount; layer++) {
    for (const block of Object.values(layout.layers.blocks)) {
      yield* ranges(layer * layout.layers.stride, String(layer), block);
    }
  }
  yield* ranges(0, '', layout.model.finalNorm!);
  if (layout.model.head) yield* ranges(0, '', layout.model.head);
}

/** The flat buffer's contents from named tensors. @throws Error naming a missing or misshapen tensor */
export function flatten(
  layout: ParameterLayout,
  layerCount: number,
  tensors: ReadonlyMap<string, { data: Float32Array }>,
): Float32Array<ArrayBuffer> {
  const flat = new Float32Array(layout.count);
  for (const { name, start, size } of namedRanges(layout, layerCount)) {
    const data = tensors.get(name)?.data;
    if (data?.length !== size)
      throw new Error(`${name} has ${data?.length ?? 'no'} values; the config implies ${size}`);
    flat.set(data, start);
  }
  return flat;
}

export function unflatten(layout: ParameterLayout, layerCount: number, flat: Float32Array): NamedTensor[] {
  return [...namedRanges(layout, layerCount)].map(({ name, shape, start, size }) => ({
    name,
    shape,
    data: flat.slice(start, start + size) as Float32Array<ArrayBuffer>,
  }));
}

/** [count / 64] whether each block of 64 values decays. */
export function decayBlocks(layout: ParameterLayout, layerCount: number): Uint32Array<ArrayBuffer> {
  const decays = new Uint32Array(layout.count / ALIGNMENT);
  const mark = (base: number, { offset, size, matrix }: Block) => {
    if (matrix) decays.fill(1, (base + offset) / ALIGNMENT, Math.ceil((base + offset + size) / ALIGNMENT));
  };
  for (let layer = 0; layer < layerCount; layer++) {
    for (const block of Object.values(layout.layers.blocks)) mark(layer * layout.layers.stride, block);
  }
  for (const block of Object.values(layout.model)) mark(0, block);
  return decays;
}
