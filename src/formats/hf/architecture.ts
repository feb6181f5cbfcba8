/**
 * @file The decoder's architecture in two tables: the model families that can be computed, and the tensors that a decoder
 * has. Shapes, the names in GGUF files, the layout of parameters, packed matrices and adapters all follow from them.
 *
 * The tables are here, not in src/model, because reading files needs them too, and src/formats is the lower floor.
 */

interface Family {
  /** The Transformers class. */
  architecture: string;
  /** A bias on the query, key and value projections. */
  qkv_bias: boolean;
  /** RMSNorm on each head's queries and keys before RoPE. */
  qk_norm: boolean;
  /** What the family's config class assumes for `max_position_embeddings`. */
  context: number;
  /** What it assumes for `tie_word_embeddings`. */
  tied: boolean;
  /** What it assumes for `head_dim`; null: `hidden_size / num_attention_heads`. */
  headDim: number | null;
  /** `attention_bias` changes nothing, because the class doesn't read it. */
  ignoresAttentionBias: boolean;
  /**
   * The `sliding_window` that it assumes, where a window alone makes attention slide; null where `use_sliding_window` or
   * `layer_types` must say so.
   */
  slidingWindow: number | null;
  /** The architecture in GGUF files; null when the family's files are stored as another architecture. */
  gguf: null | {
    /** Rows of the query and key projections are stored with each head's two halves interleaved. */
    interleavedHeads: boolean;
    /** A tensor of divisors of the rotary frequencies (Llama 3.1) may be stored. */
    ropeFactors: boolean;
  };
}

const llama = {
  architecture: 'LlamaForCausalLM',
  qkv_bias: false,
  qk_norm: false,
  context: 2048,
  tied: false,
  headDim: null,
  ignoresAttentionBias: false,
  slidingWindow: null,
  gguf: { interleavedHeads: true, ropeFactors: true },
} satisfies Family;

const plainGguf = { interleavedHeads: false, ropeFactors: false };

/** By config.json's `model_type`. */
export const families = {
  llama,
  // llama.cpp stores Mistral's models as `llama`.
  mistral: { ...llama, architecture: 'MistralForCausalLM', context: 131072, slidingWindow: 4096, gguf: null },
  qwen2: {
    ...llama,
    architecture: 'Qwen2ForCausalLM',
    qkv_bias: true,
    context: 32768,
    ignoresAttentionBias: true,
    gguf: plainGguf,
  },
  qwen3: {
    ...llama,
    architecture: 'Qwen3ForCausalLM',
    qk_norm: true,
    context: 32768,
    headDim: 128,
    gguf: plainGguf,
  },
} satisfies Record<string, Family>;

export type ModelType = keyof typeof families;
export const familyOf = (type: ModelType): Family => families[type];

/** The part of a config that decides which tensors there are. */
export interface DecoderSizes {
  vocab_size: number;
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads: number;
  head_dim: number;
  tie_word_embeddings: boolean;
  /** A bias on the query, key and value projections (Qwen2). */
  qkv_bias: boolean;
  /** RMSNorm on each head's queries and keys before RoPE (Qwen3). */
  qk_norm: boolean;
}

/** Sizes that occur in tensors' shapes. */
const sizes = {
  vocab: (config: DecoderSizes) => config.vocab_size,
  hidden: (config: DecoderSizes) => config.hidden_size,
  intermediate: (config: DecoderSizes) => config.intermediate_size,
  head: (config: DecoderSizes) => config.head_dim,
  queries: (config: DecoderSizes) => config.num_attention_heads * config.head_dim,
  keys: (config: DecoderSizes) => config.num_key_value_heads * config.head_dim,
};
type Size = keyof typeof sizes;

/**
 * Tensors that the engine keeps as one: those of a block are stacked in the table's order, so that x is multiplied by
 * queries, keys and values at once. The order of the lists is the order in the flat buffer of parameters.
 */
export const matrixBlocks = ['qkv', 'out', 'gateUp', 'down'] as const;
export const layerBlocks = ['norm1', 'qkv', 'qkvBias', 'qNorm', 'kNorm', 'out', 'norm2', 'gateUp', 'down'] as const;
export const vectorBlocks = ['norm1', 'qkvBias', 'qNorm', 'kNorm', 'norm2'] as const;
export const modelBlocks = ['embedding', 'finalNorm', 'head'] as const;
export type MatrixBlock = (typeof matrixBlocks)[number];
export type LayerBlock = (typeof layerBlocks)[number];
export type VectorBlock = (typeof vectorBlocks)[number];
export type ModelBlock = (typeof modelBlocks)[number];

interface TensorDefinition<Block> {
  /** Hugging Face's name, in a layer without what stands before it. */
  name: string;
  /** GGUF's name, likewise. */
  gguf: string;
  /** Matrices are [out, in], as PyTorch's Linear stores them. */
  shape: readonly Size[];
  block: Block;
  /** Weight decay applies: to matrices, and not to norms and biases, as in Transformers' Trainer. */
  decays: boolean;
  /** A linear layer within the decoder's layers, which can have a LoRA adapter. */
  adaptable?: boolean;
  /** Writes to the residual stream, so that its random start is smaller. */
  writesStream?: boolean;
  /** Whether a model has it; left out: always. */
  isThere?: (config: DecoderSizes) => boolean;
}

const linear = (
  module: string,
  gguf: string,
  block: MatrixBlock,
  shape: readonly [out: Size, input: Size],
): TensorDefinition<LayerBlock> => ({
  name: `${module}.weight`,
  gguf: `${gguf}.weight`,
  block,
  shape,
  decays: true,
  adaptable: true,
  writesStream: shape[0] === 'hidden',
});
const bias = (module: string, gguf: string, size: Size): TensorDefinition<LayerBlock> => ({
  name: `${module}.bias`,
  gguf: `${gguf}.bias`,
  block: 'qkvBias',
  shape: [size],
  decays: false,
  isThere: (config) => config.qkv_bias,
});
const norm = (
  module: string,
  gguf: string,
  block: VectorBlock,
  size: Size = 'hidden',
): TensorDefinition<LayerBlock> => ({
  name: `${module}.weight`,
  gguf: `${gguf}.weight`,
  block,
  shape: [size],
  decays: false,
  ...(size === 'head' && { isThere: (config: DecoderSizes) => config.qk_norm }),
});

/** A layer's tensors in the order in which Transformers lists them. */
const layerTensors: readonly TensorDefinition<LayerBlock>[] = [
  linear('self_attn.q_proj', 'attn_q', 'qkv', ['queries', 'hidden']),
  bias('self_attn.q_proj', 'attn_q', 'queries'),
  linear('self_attn.k_proj', 'attn_k', 'qkv', ['keys', 'hidden']),
  bias('self_attn.k_proj', 'attn_k', 'keys'),
  linear('self_attn.v_proj', 'attn_v', 'qkv', ['keys', 'hidden']),
  bias('self_attn.v_proj', 'attn_v', 'keys'),
  linear('self_attn.o_proj', 'attn_output', 'out', ['hidden', 'queries']),
  norm('self_attn.q_norm', 'attn_q_norm', 'qNorm', 'head'),
  norm('self_attn.k_norm', 'attn_k_norm', 'kNorm', 'head'),
  linear('mlp.gate_proj', 'ffn_gate', 'gateUp', ['intermediate', 'hidden']),
  linear('mlp.up_proj', 'ffn_up', 'gateUp', ['intermediate', 'hidden']),
  linear('mlp.down_proj', 'ffn_down', 'down', ['hidden', 'intermediate']),
  norm('input_layernorm', 'attn_norm', 'norm1'),
  norm('post_attention_layernorm', 'ffn_norm', 'norm2'),
];

const embedding: TensorDefinition<ModelBlock> = {
  name: 'model.embed_tokens.weight',
  gguf: 'token_embd.weight',
  block: 'embedding',
  shape: ['vocab', 'hidden'],
  decays: true,
};
/** The tensors behind the layers. */
const lastTensors: readonly TensorDefinition<ModelBlock>[] = [
  { name: 'model.norm.weight', gguf: 'output_norm.weight', block: 'finalNorm', shape: ['hidden'], decays: false },
  {
    name: 'lm_head.weight',
    gguf: 'output.weight',
    block: 'head',
    shape: ['vocab', 'hidden'],
    decays: true,
    // Otherwise it is the embedding.
    isThere: (config) => !config.tie_word_embeddings,
  },
];

export interface TensorShape {
  /** Hugging Face's name. */
  name: string;
  shape: number[];
}

/** A tensor of a model. */
export interface DecoderTensor<Block = LayerBlock | ModelBlock> extends TensorShape {
  block: Block;
  decays: boolean;
  adaptable: boolean;
  writesStream: boolean;
}

function tensorOf<Block>(
  { name, shape, block, decays, adaptable = false, writesStream = false }: TensorDefinition<Block>,
  config: DecoderSizes,
  prefix = '',
): DecoderTensor<Block> {
  const lengths = shape.map((size) => sizes[size](config));
  return { name: prefix + name, shape: lengths, block, decays, adaptable, writesStream };
}

const present = <Block>(tensors: readonly TensorDefinition<Block>[], config: DecoderSizes) =>
  tensors.filter(({ isThere }) => isThere?.(config) ?? true);

/** Every parameter in Hugging Face's names and order. */
export function decoderTensors(config: DecoderSizes): DecoderTensor[] {
  return [
    tensorOf(embedding, config),
    ...Array.from({ length: config.num_hidden_layers }, (_, layer) => tensorsOfLayer(config, layer)).flat(),
    ...present(lastTensors, config).map((tensor) => tensorOf(tensor, config)),
  ];
}

function tensorsOfLayer(config: DecoderSizes, layer: number | string): DecoderTensor<LayerBlock>[] {
  return present(layerTensors, config).map((tensor) => tensorOf(tensor, config, `model.layers.${layer}.`));
}

/** The names and shapes of `decoderTensors`. */
export const parameterShapes = (config: DecoderSizes): TensorShape[] =>
  decoderTensors(config).map(({ name, shape }) => ({ name, shape }));

/** Number of trained values; tied embeddings count once. */
export const parameterCount = (config: DecoderSizes): number =>
  decoderTensors(config).reduce((sum, tensor) => sum + valuesOf(tensor), 0);

/** Values in a tensor. */
export const valuesOf = ({ shape }: TensorShape): number => shape.reduce((a, b) => a * b, 1);

/** Tensors that the engine keeps as one, stacked in their order. */
export interface TensorBlock<Block = LayerBlock | ModelBlock> {
  block: Block;
  tensors: DecoderTensor<Block>[];
}

/**
 * A layer's blocks in the order of `layerBlocks`, without those that the model doesn't have.
 * @param layer its number, or what stands for it in the tensors' names
 */
export const blocksOfLayer = (config: DecoderSizes, layer: number | string): TensorBlock<LayerBlock>[] =>
  blocksOf(layerBlocks, tensorsOfLayer(config, layer));

/** The tensors that a layer stacks into one block; none where the model doesn't have it. */
export const tensorsOfBlock = (
  config: DecoderSizes,
  layer: number | string,
  block: LayerBlock,
): DecoderTensor<LayerBlock>[] => tensorsOfLayer(config, layer).filter((tensor) => tensor.block === block);

/** The blocks outside the layers, in the order of `modelBlocks`. */
export const blocksOfModel = (config: DecoderSizes): TensorBlock<ModelBlock>[] =>
  blocksOf(
    modelBlocks,
    [embedding, ...present(lastTensors, config)].map((tensor) => tensorOf(tensor, config)),
  );

const blocksOf = <Block>(order: readonly Block[], tensors: readonly DecoderTensor<Block>[]): TensorBlock<Block>[] =>
  order
    .map((block) => ({ block, tensors: tensors.filter((tensor) => tensor.block === block) }))
    .filter((made) => made.tensors.length > 0);

/** The size of a layer's stacked matrix: y = xWᵀ has `outFeatures` columns. */
export function matrixSize(config: DecoderSizes, block: MatrixBlock): { inFeatures: number; outFeatures: number } {
  const tensors = tensorsOfBlock(config, 0, block);
  return { inFeatures: tensors[0]!.shape[1]!, outFeatures: tensors.reduce((sum, { shape }) => sum + shape[0]!, 0) };
}

/** The modules that can have an adapter, by PEFT's names: all linear layers but the head. */
export const adaptableModules: readonly string[] = layerTensors
  .filter(({ adaptable }) => adaptable)
  .map(({ name }) => name.split('.').at(-2)!);

const modelNames = new Map([embedding, ...lastTensors].map(({ name, gguf }) => [gguf, name]));
const layerNames = new Map(layerTensors.map(({ name, gguf }) => [gguf, name]));

/** Hugging Face's name for a tensor of a GGUF file; null for one that no model here has. */
export function nameOfGguf(name: string): string | null {
  const [, layer, part] = /^blk\.(\d+)\.(.+)$/.exec(name) ?? [];
  if (part === undefined) return modelNames.get(name) ?? null;
  const known = layerNames.get(part);
  return known === undefined ? null : `model.layers.${layer}.${known}`;
}
