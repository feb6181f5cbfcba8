/**
 * @file Which packed matrices a decoder is held in for inference, and how many bytes they are: computed from the config
 * and the types of the stored tensors alone, before any weight is read.
 */
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { StoredType } from '../../formats/files/model-files';
import { fitsKind, packedRowBytes, type WeightKind } from '../../nn/infer/packed';

/** What becomes of weights that are stored as floats; blocks that are quantised already stay as they are. */
export const quantizations = ['stored', 'f16', 'q8_0', 'q4_0'] as const;
export type Quantization = (typeof quantizations)[number];

/** Rows of a packed matrix that one stored tensor fills. */
export interface MatrixPiece {
  /** Hugging Face's name. */
  name: string;
  firstRow: number;
  rows: number;
}

export interface MatrixPlan {
  label: string;
  kind: WeightKind;
  /** Rows of y = xWᵀ that the matrix belongs to; of a projection in several kinds it fills only a part of them. */
  rows: number;
  columns: number;
  pieces: MatrixPiece[];
}

/** Vectors that are kept in f32: norms and biases. Several that are used as one lie together. */
export interface VectorPlan {
  label: string;
  size: number;
  names: string[];
}

export interface LayerPlan {
  /** One matrix, unless queries, keys and values are stored in different kinds. */
  qkv: MatrixPlan[];
  out: MatrixPlan;
  /** Likewise; gates before ups. */
  gateUp: MatrixPlan[];
  down: MatrixPlan;
  norm1: VectorPlan;
  norm2: VectorPlan;
  qkvBias: VectorPlan | null;
  qNorm: VectorPlan | null;
  kNorm: VectorPlan | null;
}

export interface WeightPlan {
  layers: LayerPlan[];
  embedding: MatrixPlan;
  /** Null when it is the embedding. */
  head: MatrixPlan | null;
  finalNorm: VectorPlan;
  /** On the GPU. */
  bytes: number;
  /** Matrices are divided into buffers of at most so many bytes; what the GPU can bind when left out. */
  largestBuffer?: number;
}

/** What a matrix is held as once adapters have been added to it. */
export const mergedKind = (kind: WeightKind): WeightKind => (kind === 'f32' ? 'f32' : 'f16');

/**
 * @param typeOf how the tensor of that name is stored
 * @param adapted tensors that adapters will be added to, and so take more memory: counted, not planned
 */
export function planWeights(
  config: DecoderConfig,
  typeOf: (name: string) => StoredType,
  quantization: Quantization,
  adapted: ReadonlySet<string> = new Set(),
): WeightPlan {
  const { hidden_size: hidden, intermediate_size: intermediate, head_dim: headDim, vocab_size: vocab } = config;
  const q = config.num_attention_heads * headDim;
  const kv = config.num_key_value_heads * headDim;
  // Twice the bits for the matrix that every token passes twice costs little and is worth much.
  const ends = quantization === 'q4_0' ? 'q8_0' : quantization;

  const matrices = (label: string, columns: number, sizes: [name: string, rows: number][]): MatrixPlan[] => {
    const rows = sizes.reduce((sum, [, size]) => sum + size, 0);
    const byKind = new Map<WeightKind, MatrixPiece[]>();
    let firstRow = 0;
    for (const [name, size] of sizes) {
      const kind = heldAs(typeOf(name), columns, quantization);
      byKind.set(kind, [...(byKind.get(kind) ?? []), { name, firstRow, rows: size }]);
      firstRow += size;
    }
    return [...byKind].map(([kind, pieces]) => ({ label, kind, rows, columns, pieces }));
  };
  const single = (label: string, name: string, rows: number, columns: number, as = quantization): MatrixPlan => ({
    label,
    kind: heldAs(typeOf(name), columns, as),
    rows,
    columns,
    pieces: [{ name, firstRow: 0, rows }],
  });
  const vector = (label: string, size: number, ...names: string[]): VectorPlan => ({ label, size, names });

  const layers = Array.from({ length: config.num_hidden_layers }, (_, layer): LayerPlan => {
    const at = (name: string) => `model.layers.${layer}.${name}`;
    return {
      qkv: matrices(`qkv ${layer}`, hidden, [
        [at('self_attn.q_proj.weight'), q],
        [at('self_attn.k_proj.weight'), kv],
        [at('self_attn.v_proj.weight'), kv],
      ]),
      out: single(`out ${layer}`, at('self_attn.o_proj.weight'), hidden, q),
      gateUp: matrices(`gate and up ${layer}`, hidden, [
        [at('mlp.gate_proj.weight'), intermediate],
        [at('mlp.up_proj.weight'), intermediate],
      ]),
      down: single(`down ${layer}`, at('mlp.down_proj.weight'), hidden, intermediate),
      norm1: vector(`norm 1 of ${layer}`, hidden, at('input_layernorm.weight')),
      norm2: vector(`norm 2 of ${layer}`, hidden, at('post_attention_layernorm.weight')),
      qkvBias: config.qkv_bias
        ? vector(`qkv bias ${layer}`, q + 2 * kv, ...['q', 'k', 'v'].map((name) => at(`self_attn.${name}_proj.bias`)))
        : null,
      qNorm: config.qk_norm ? vector(`q norm ${layer}`, headDim, at('self_attn.q_norm.weight')) : null,
      kNorm: config.qk_norm ? vector(`k norm ${layer}`, headDim, at('self_attn.k_norm.weight')) : null,
    };
  });
  const plan = {
    layers,
    embedding: single('embedding', 'model.embed_tokens.weight', vocab, hidden, ends),
    head: config.tie_word_embeddings ? null : single('head', 'lm_head.weight', vocab, hidden, ends),
    finalNorm: vector('final norm', hidden, 'model.norm.weight'),
  };
  return { ...plan, bytes: planBytes(plan, adapted) };
}

/** Every matrix of a plan. */
export const planMatrices = (plan: Pick<WeightPlan, 'layers' | 'embedding' | 'head' | 'finalNorm'>): MatrixPlan[] => [
  plan.embedding,
  ...plan.layers.flatMap(({ qkv, out, gateUp, down }) => [...qkv, out, ...gateUp, down]),
  ...(plan.head ? [plan.head] : []),
];

/** Every vector of a plan. */
export const planVectors = (plan: Pick<WeightPlan, 'layers' | 'embedding' | 'head' | 'finalNorm'>): VectorPlan[] => [
  ...plan.layers.flatMap(({ norm1, norm2, qkvBias, qNorm, kNorm }) =>
    [norm1, norm2, qkvBias, qNorm, kNorm].filter((vector) => vector !== null),
  ),
  plan.finalNorm,
];

function planBytes(
  plan: Pick<WeightPlan, 'layers' | 'embedding' | 'head' | 'finalNorm'>,
  adapted: ReadonlySet<string>,
): number {
  const matrices = planMatrices(plan).map(({ kind, columns, pieces }) => {
    const held = pieces.some(({ name }) => adapted.has(name)) ? mergedKind(kind) : kind;
    return packedRowBytes(held, columns) * pieces.reduce((sum, { rows }) => sum + rows, 0);
  });
  const vectors = planVectors(plan).map(({ size }) => 4 * size);
  return [...matrices, ...vectors].reduce((sum, bytes) => sum + bytes, 0);
}

const storedKinds: Record<StoredType, WeightKind> = {
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
  Q4_0: 'q4_0',
  Q4_1: 'q4_1',
  Q5_0: 'q5_0',
  Q5_1: 'q5_1',
  Q8_0: 'q8_0',
  Q4_K: 'q4_k',
  Q5_K: 'q5_k',
  Q6_K: 'q6_k',
};

/** The packed kind that a file's type is when it is kept as it is. */
export const kindOf = (type: StoredType): WeightKind => storedKinds[type];

function heldAs(type: StoredType, columns: number, quantization: Quantization): WeightKind {
  const kind = kindOf(type);
  const isFloat = kind === 'f32' || kind === 'f16' || kind === 'bf16';
  if (!isFloat || quantization === 'stored') return kind;
  return fitsKind(quantization, columns) ? quantization : 'f16';
}
