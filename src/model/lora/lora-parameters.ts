/** @file Adapters on the GPU: their values and gradients in flat buffers, beside the packed weights that they add to. */
import { slice, type Gpu, type Tensor } from '../../gpu/gpu';
import type { LoraAdapter, LoraGradients, LoraWeights } from '../../nn/train/lora-linear';
import { loraSizes } from '../../nn/train/lora-shape';
import type { PackedMatrix } from '../../nn/infer/packed';
import { rng } from '../../base/rng';
import type { DecoderGradients, DecoderWeights } from '../train/decoder-parts';
import { matrixBlocks, type MatrixBlock } from '../../formats/hf/architecture';
import { modulesOf, type LoraLayout, type LoraPlace, type LoraTensors } from './lora-layout';
import type { PackedParameters } from '../infer/packed-parameters';

export interface LoraParameters {
  /** f32 [layout.count] */
  flat: Tensor;
  grads: Tensor;
  /** The base with its adapters. */
  weights: DecoderWeights<LoraWeights>;
  gradients: DecoderGradients<LoraGradients>;
  /** The base alone. */
  reference: DecoderWeights<LoraWeights>;
}

/** Values of the largest u, and all of them together, for so many tokens. */
export function loraActivations(layout: LoraLayout, tokens: number): { largest: number; total: number } {
  const sizes = layout.layers.flatMap((places) =>
    Object.values(places).map(({ shape }) => tokens * shape.blocks.length * shape.rank),
  );
  return { largest: Math.max(0, ...sizes), total: sizes.reduce((sum, size) => sum + size, 0) };
}

/** @param maxTokens of a micro-batch @param scale of the adapters: alpha / r */
export function allocateLora(
  gpu: Gpu,
  base: PackedParameters,
  layout: LoraLayout,
  maxTokens: number,
  scale: number,
): LoraParameters {
  const flat = gpu.alloc('adapters', layout.count * 4);
  const grads = gpu.alloc('adapter gradients', layout.count * 4);
  const du = gpu.alloc('adapter scratch', 4 * loraActivations(layout, maxTokens).largest);
  const part = (of: Tensor, { shape, a, b }: LoraPlace) => {
    const sizes = loraSizes(shape);
    return { a: slice(of, 4 * a, 4 * sizes.a), b: slice(of, 4 * b, 4 * sizes.b) };
  };
  const adapter = (place: LoraPlace): LoraAdapter => {
    const { blocks, rank } = place.shape;
    return { ...part(flat, place), u: gpu.alloc('adapter activations', 4 * maxTokens * blocks.length * rank), scale };
  };
  return {
    flat,
    grads,
    weights: decoderWeights(base, (layer, name) => {
      const place = layout.layers[layer]![name];
      return place ? adapter(place) : null;
    }),
    gradients: {
      layers: layout.layers.map((places) =>
        eachMatrix((block) => (places[block] ? { ...part(grads, places[block]), du } : null)),
      ),
      embedding: null,
      finalNorm: null,
      head: null,
    },
    reference: decoderWeights(base, () => null),
  };
}

const eachMatrix = <T>(make: (block: MatrixBlock) => T): Record<MatrixBlock, T> =>
  Object.fromEntries(matrixBlocks.map((block) => [block, make(block)])) as Record<MatrixBlock, T>;

function decoderWeights(
  base: PackedParameters,
  adapter: (layer: number, name: MatrixBlock) => LoraAdapter | null,
): DecoderWeights<LoraWeights> {
  const alone = (matrix: PackedMatrix): LoraWeights => ({ base: [matrix], adapter: null });
  return {
    layers: base.layers.map((layer, i) => ({
      ...layer,
      ...eachMatrix((block) => ({ base: layer[block], adapter: adapter(i, block) })),
    })),
    embedding: alone(base.embedding),
    finalNorm: base.finalNorm,
    head: alone(base.head),
  };
}

/** Key of the random stream. */
const INITIAL_ADAPTERS = 4;

/** PEFT's start: A uniform (Kaiming's, with a = √5, which is 1/√inFeatures), B zero, so that nothing changes at first. */
export function initialLora(layout: LoraLayout, seed: number): Map<string, LoraTensors> {
  const modules = [...modulesOf(layout)].map(({ place, part }, i) => {
    const random = rng(seed, INITIAL_ADAPTERS, i);
    const { inFeatures } = place.shape;
    const bound = 1 / Math.sqrt(inFeatures);
    const a = Float32Array.from({ length: part.rank * inFeatures }, () => bound * (2 * random.next() - 1));
    return [part.name, { a, b: new Float32Array(part.rows * part.rank) }] as const;
  });
  return new Map(modules);
}
