/**
 * @file Which packed matrices a decoder is held in for inference, and how many bytes they are: computed from the config
 * and the types of the stored tensors alone, before any weight is read.
 */
import {
  blocksOfLayer,
  blocksOfModel,
  matrixBlocks,
  valuesOf,
  vectorBlocks,
  type LayerBlock,
  type MatrixBlock,
  type TensorShape,
  type VectorBlock,
} from '../../formats/hf/architecture';
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { StoredType } from '../../formats/gguf/stored-types';
import { fitsKind, isFloat, kindOf, packedRowBytes, type WeightKind } from '../../nn/infer/packed';

/** What weights stored as floats are converted to. Weights that are already quantised are kept. */
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

/**
 * A block of matrices that are multiplied together is one matrix, unless its tensors are stored in different kinds. Gates
 * come before ups. Vectors that the model doesn't have are left out.
 */
export type LayerPlan = Record<MatrixBlock, MatrixPlan[]> & Partial<Record<VectorBlock, VectorPlan>>;

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

/** The kind of a matrix once adapters have been added to it. */
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
  // The matrix that every token passes twice is worth twice the bits.
  const ends = quantization === 'q4_0' ? 'q8_0' : quantization;

  const matrices = (label: string, tensors: readonly TensorShape[], as = quantization): MatrixPlan[] => {
    const columns = tensors[0]!.shape[1]!;
    const byKind = new Map<WeightKind, MatrixPiece[]>();
    let firstRow = 0;
    for (const { name, shape } of tensors) {
      const rows = shape[0]!;
      const kind = heldAs(typeOf(name), columns, as);
      byKind.set(kind, [...(byKind.get(kind) ?? []), { name, firstRow, rows }]);
      firstRow += rows;
    }
    return [...byKind].map(([kind, pieces]) => ({ label, kind, rows: firstRow, columns, pieces }));
  };
  const vector = (label: string, tensors: readonly TensorShape[]): VectorPlan => ({
    label,
    size: tensors.reduce((sum, tensor) => sum + valuesOf(tensor), 0),
    names: tensors.map(({ name }) => name),
  });
  const isMatrix = (block: LayerBlock): block is MatrixBlock => matrixBlocks.some((name) => name === block);

  const layers = Array.from({ length: config.num_hidden_layers }, (_, layer) => {
    const blocks = blocksOfLayer(config, layer).map(({ block, tensors }) => {
      const label = `${block} of layer ${layer}`;
      return [block, isMatrix(block) ? matrices(label, tensors) : vector(label, tensors)];
    });
    return Object.fromEntries(blocks) as LayerPlan;
  });
  const model = new Map(blocksOfModel(config).map(({ block, tensors }) => [block, tensors]));
  const head = model.get('head');
  const plan = {
    layers,
    embedding: matrices('embedding', model.get('embedding')!, ends)[0]!,
    head: head ? matrices('head', head, ends)[0]! : null,
    finalNorm: vector('final norm', model.get('finalNorm')!),
  };
  return { ...plan, bytes: planBytes(plan, adapted) };
}

/** Every matrix of a plan. */
export const planMatrices = (plan: Pick<WeightPlan, 'layers' | 'embedding' | 'head' | 'finalNorm'>): MatrixPlan[] => [
  plan.embedding,
  ...plan.layers.flatMap((layer) => matrixBlocks.flatMap((block) => layer[block])),
  ...(plan.head ? [plan.head] : []),
];

/** Every vector of a plan. */
export const planVectors = (plan: Pick<WeightPlan, 'layers' | 'embedding' | 'head' | 'finalNorm'>): VectorPlan[] => [
  ...plan.layers.flatMap((layer) => vectorBlocks.flatMap((block) => layer[block] ?? [])),
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

function heldAs(type: StoredType, columns: number, quantization: Quantization): WeightKind {
  const kind = kindOf(type);
  if (!isFloat(kind) || quantization === 'stored') return kind;
  return fitsKind(quantization, columns) ? quantization : 'f16';
}
