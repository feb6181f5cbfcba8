/**
 * @file The layout of a decoder's parameters in one flat f32 buffer, so that clipping and AdamW are one dispatch each.
 * Matrices that are multiplied together are stored together (q, k, v; gate, up). All layers have the same layout, a fixed
 * stride apart.
 */
import {
  blocksOfLayer,
  blocksOfModel,
  valuesOf,
  type LayerBlock,
  type ModelBlock,
  type TensorBlock,
  type TensorShape,
} from '../../formats/hf/architecture';
import type { DecoderConfig } from '../../formats/hf/hf-config';
import { slice, type Gpu, type Tensor } from '../../gpu/gpu';

/** In values: WebGPU binds at multiples of 256 bytes. */
const ALIGNMENT = 64;

interface Block {
  /** Values from the start of the layer (or of the model). */
  offset: number;
  size: number;
  /** What it holds, stacked in order; names with `{layer}` for the layer's number. */
  tensors: readonly TensorShape[];
  decays: boolean;
}

export interface ParameterLayout {
  /** Values of the whole buffer. */
  count: number;
  layers: { start: number; stride: number; blocks: Partial<Record<LayerBlock, Block>> };
  model: Partial<Record<ModelBlock, Block>>;
}

export function parameterLayout(config: DecoderConfig): ParameterLayout {
  let next = 0;
  const place = <Name extends string>(blocks: readonly TensorBlock<Name>[]): Partial<Record<Name, Block>> => {
    const placed = blocks.map(({ block, tensors }) => {
      const size = tensors.reduce((sum, tensor) => sum + valuesOf(tensor), 0);
      const made: Block = { offset: next, size, tensors, decays: tensors[0]!.decays };
      next = Math.ceil((next + size) / ALIGNMENT) * ALIGNMENT;
      return [block, made] as const;
    });
    return Object.fromEntries(placed) as Partial<Record<Name, Block>>;
  };
  const blocks = place(blocksOfLayer(config, '{layer}'));
  const stride = next;
  next = config.num_hidden_layers * stride;
  const model = place(blocksOfModel(config));
  return { count: next, layers: { start: 0, stride, blocks }, model };
}

/** Views of one flat buffer of the layout's size: parameters, or their gradients. */
export interface ParameterViews {
  flat: Tensor;
  layers: Partial<Record<LayerBlock, Tensor>>[];
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
): Generator<TensorShape & { start: number; size: number }> {
  function* ranges(base: number, layer: string, block: Block) {
    let start = base + block.offset;
    for (const { name, shape } of block.tensors) {
      const size = valuesOf({ name, shape });
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
  const mark = (base: number, { offset, size, decays: decayed }: Block) => {
    if (decayed) decays.fill(1, (base + offset) / ALIGNMENT, Math.ceil((base + offset + size) / ALIGNMENT));
  };
  for (let layer = 0; layer < layerCount; layer++) {
    for (const block of Object.values(layout.layers.blocks)) mark(layer * layout.layers.stride, block);
  }
  for (const block of Object.values(layout.model)) mark(0, block);
  return decays;
}
