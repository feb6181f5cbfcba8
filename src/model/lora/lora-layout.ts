/**
 * @file Which modules of a decoder have low-rank adapters, and the layout of these in one flat f32 buffer for all A and B, so
 * that clipping and AdamW are one dispatch each.
 */
import {
  adaptableModules,
  matrixBlocks,
  matrixSize,
  tensorsOfBlock,
  type MatrixBlock,
} from '../../formats/hf/architecture';
import type { DecoderConfig } from '../../formats/hf/hf-config';
import { loraSizes, type LoraBlock, type LoraShape } from '../../nn/train/lora-shape';

/** In values: WebGPU binds at multiples of 256 bytes. */
const ALIGNMENT = 64;

/** The modules that can have one, by PEFT's names: q_proj, k_proj, … */
export const loraModules = adaptableModules;
export type LoraModule = string;

/** The settings of a set of adapters, under PEFT's names. */
export interface LoraConfig {
  r: number;
  lora_alpha: number;
  target_modules: readonly LoraModule[];
}

/** A module with an adapter. */
export interface LoraPart extends LoraBlock {
  /** Hugging Face's name: `model.layers.0.self_attn.q_proj`. */
  name: string;
  /** The module's own rank, as PEFT has it; the stack's may be larger. */
  rank: number;
}

/** The adapters of one stacked matrix of one layer. */
export interface LoraPlace {
  shape: LoraShape;
  parts: readonly LoraPart[];
  /** Values from the buffer's start. */
  a: number;
  b: number;
}

export interface LoraLayout {
  /** Values of the whole buffer. */
  count: number;
  layers: readonly Partial<Record<MatrixBlock, LoraPlace>>[];
}

/** @param rankOf the rank of a module's adapter, by its name; 0 for none */
export function loraLayout(config: DecoderConfig, rankOf: (module: string) => number): LoraLayout {
  let next = 0;
  const take = (values: number) => {
    const at = next;
    next = Math.ceil((next + values) / ALIGNMENT) * ALIGNMENT;
    return at;
  };
  const layers = Array.from({ length: config.num_hidden_layers }, (_, layer) => {
    const places: Partial<Record<MatrixBlock, LoraPlace>> = {};
    for (const block of matrixBlocks) {
      const parts: LoraPart[] = [];
      let first = 0;
      for (const tensor of tensorsOfBlock(config, layer, block)) {
        const name = tensor.name.replace(/\.weight$/, '');
        const rows = tensor.shape[0]!;
        const rank = rankOf(name);
        if (rank > 0) parts.push({ name, first, rows, rank });
        first += rows;
      }
      if (parts.length === 0) continue;
      const rank = Math.ceil(Math.max(...parts.map((part) => part.rank)) / 4) * 4;
      const shape = { ...matrixSize(config, block), rank, blocks: parts };
      const sizes = loraSizes(shape);
      places[block] = { shape, parts, a: take(sizes.a), b: take(sizes.b) };
    }
    return places;
  });
  return { count: next, layers };
}

/** The layout of adapters on all modules that the settings name. */
export const loraLayoutOf = (config: DecoderConfig, { r, target_modules }: LoraConfig): LoraLayout =>
  loraLayout(config, (name) => (target_modules.some((module) => name.endsWith(`.${module}`)) ? r : 0));

/** Every module that can have an adapter, with the sizes of its weight. */
export function loraTargets(config: DecoderConfig): { name: string; inFeatures: number; outFeatures: number }[] {
  return loraLayout(config, () => 4).layers.flatMap((places) =>
    Object.values(places).flatMap(({ shape, parts }) =>
      parts.map(({ name, rows }) => ({ name, inFeatures: shape.inFeatures, outFeatures: rows })),
    ),
  );
}

/** A module's A [rank, inFeatures] and B [rows, rank], without what fills the stack up. */
export interface LoraTensors {
  a: Float32Array<ArrayBuffer>;
  b: Float32Array<ArrayBuffer>;
}

/** Each module's tensors in the flat buffer, in the model's order. */
export function* modulesOf(
  layout: LoraLayout,
): Generator<{ place: LoraPlace; part: LoraPart; block: number; row: number }> {
  for (const places of layout.layers) {
    for (const place of Object.values(places)) {
      let row = 0;
      for (const [block, part] of place.parts.entries()) {
        yield { place, part, block, row };
        row += part.rows;
      }
    }
  }
}

/**
 * The flat buffer's contents.
 * @param tensors by module
 * @throws Error naming a module that is missing or has other sizes
 */
export function flattenLora(layout: LoraLayout, tensors: ReadonlyMap<string, LoraTensors>): Float32Array<ArrayBuffer> {
  const flat = new Float32Array(layout.count);
  for (const { place, part, block, row } of modulesOf(layout)) {
    const { inFeatures, rank: stackRank } = place.shape;
    const { name, rank, rows } = part;
    const given = tensors.get(name);
    if (given?.a.length !== rank * inFeatures || given.b.length !== rows * rank) {
      throw new Error(`the adapter of ${name} ${given ? 'has other sizes' : 'is missing'}; its rank should be ${rank}`);
    }
    flat.set(given.a, place.a + block * stackRank * inFeatures);
    for (let r = 0; r < rows; r++) {
      flat.set(given.b.subarray(r * rank, (r + 1) * rank), place.b + (row + r) * stackRank);
    }
  }
  return flat;
}

/** The inverse of `flattenLora`. */
export function unflattenLora(layout: LoraLayout, flat: Float32Array): Map<string, LoraTensors> {
  const tensors = new Map<string, LoraTensors>();
  for (const { place, part, block, row } of modulesOf(layout)) {
    const { inFeatures, rank: stackRank } = place.shape;
    const { name, rank, rows } = part;
    const start = place.a + block * stackRank * inFeatures;
    const b = new Float32Array(rows * rank);
    for (let r = 0; r < rows; r++) {
      const from = place.b + (row + r) * stackRank;
      b.set(flat.subarray(from, from + rank), r * rank);
    }
    tensors.set(name, { a: new Float32Array(flat.slice(start, start + rank * inFeatures)), b });
  }
  return tensors;
}
