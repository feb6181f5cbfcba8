/**
 * @file Weights with adapters added, for inference: W + s·B·A, made on the GPU. Adapted matrices become f16, those in f32
 * stay f32; the others are shared with the base.
 */
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { PeftAdapter } from '../../formats/hf/peft';
import { slice, type Gpu, type Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { f32, grid, type Recorder } from '../../gpu/recorder';
import { loraConstants, loraSizes } from '../../nn/train/lora-shape';
import { packedRowBytes, type PackedMatrix } from '../../nn/infer/packed';
import { weightConditions, weightConstants } from '../../nn/infer/packed-shader';
import { matrixBlocks } from '../../formats/hf/architecture';
import { flattenLora, loraLayout, type LoraLayout, type LoraPlace } from './lora-layout';
import type { PackedLayer, PackedParameters } from '../infer/packed-parameters';
import { mergedKind, type WeightPlan } from '../infer/weight-plan';

/** Rows of a merged matrix that come from one part of the base. */
interface Piece {
  kernel: Kernel;
  from: Tensor;
  to: Tensor;
  columns: number;
  rows: number;
  firstRow: number;
  firstFeature: number;
  a: Tensor;
  b: Tensor;
}

/** Keeps merged copies of adapted matrices, to be made anew whenever the adapters have changed. */
export class LoraMerge {
  private constructor(
    /** The base with merged matrices in place of the adapted ones. */
    readonly weights: PackedParameters,
    private readonly pieces: readonly Piece[],
  ) {}

  /**
   * @param flat the layout's A and B
   * @throws OutOfMemoryError
   */
  static async create(gpu: Gpu, base: PackedParameters, layout: LoraLayout, flat: Tensor): Promise<LoraMerge> {
    const pieces: Piece[] = [];
    const layers: PackedLayer[] = [];
    for (const [i, layer] of base.layers.entries()) {
      const merged = { ...layer };
      for (const name of matrixBlocks) {
        const place = layout.layers[i]![name];
        if (!place) continue;
        const made = await Promise.all(layer[name].map((matrix) => mergedMatrix(gpu, matrix, place, flat)));
        merged[name] = made.map(({ matrix }) => matrix);
        pieces.push(...made.flatMap((one) => one.pieces));
      }
      layers.push(merged);
    }
    return new LoraMerge({ ...base, layers }, pieces);
  }

  /** One dispatch a matrix. @param scale of the adapters: alpha / r */
  record(recorder: Recorder, scale: number): void {
    for (const { kernel, from, to, columns, rows, firstRow, firstFeature, a, b } of this.pieces) {
      const groups = grid(Math.ceil((rows * columns) / 4 / 64));
      recorder.dispatch(kernel, [from, a, b, to], [rows, firstRow, firstFeature, f32(scale)], groups);
    }
  }
}

async function mergedMatrix(
  gpu: Gpu,
  { kind, rows, columns, parts }: PackedMatrix,
  place: LoraPlace,
  flat: Tensor,
): Promise<{ matrix: PackedMatrix; pieces: Piece[] }> {
  const to = mergedKind(kind);
  const rowBytes = packedRowBytes(to, columns);
  const kernel = await gpu.kernel('lora/lora_merge', {
    constants: {
      ...weightConstants(kind, columns),
      ...loraConstants(place.shape),
      COLUMN_VECS: columns / 4,
      OUT_ROW_WORDS: rowBytes / 4,
    },
    conditions: { ...weightConditions(kind), TO_F32: to === 'f32' },
  });
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
  // A multiple of 8 rows, as src/model/infer/packed-parameters.ts has it.
  const most = Math.floor(Math.min(maxBufferSize, maxStorageBufferBindingSize) / rowBytes / 8) * 8;
  const sizes = loraSizes(place.shape);
  const a = slice(flat, 4 * place.a, 4 * sizes.a);
  const b = slice(flat, 4 * place.b, 4 * sizes.b);
  return gpu.allocating(() => {
    const pieces: Piece[] = [];
    const merged = parts.flatMap((part) =>
      Array.from({ length: Math.ceil(part.rows / most) }, (_, i) => {
        const count = Math.min(most, part.rows - i * most);
        const tensor = gpu.alloc(`${part.tensor.label}, merged`, count * rowBytes);
        const firstFeature = part.firstRow + i * most;
        pieces.push({
          kernel,
          from: part.tensor,
          to: tensor,
          columns,
          rows: count,
          firstRow: i * most,
          firstFeature,
          a,
          b,
        });
        return { tensor, firstRow: firstFeature, rows: count };
      }),
    );
    return { matrix: { kind: to, rows, columns, parts: merged }, pieces };
  });
}

/** Bytes of the merged copies of a layout's matrices. */
export function mergedBytes(plan: Pick<WeightPlan, 'layers'>, layout: LoraLayout): number {
  const matrices = plan.layers.flatMap((layer, i) =>
    matrixBlocks.flatMap((name) => (layout.layers[i]![name] ? layer[name] : [])),
  );
  return matrices.reduce((sum, { kind, columns, pieces }) => {
    const rows = pieces.reduce((count, piece) => count + piece.rows, 0);
    return sum + packedRowBytes(mergedKind(kind), columns) * rows;
  }, 0);
}

/** The tensors that an adapter is added to. */
export const adaptedTensors = ({ modules }: PeftAdapter): Set<string> =>
  new Set([...modules.keys()].map((name) => `${name}.weight`));

/**
 * Adds an adapter to weights for good: the matrices that it changes are replaced, and freed. A layer at a time, so that
 * little is there twice.
 * @returns the weights to use from now on
 * @throws OutOfMemoryError; the weights are of no use any more then
 */
export async function mergeAdapter(
  gpu: Gpu,
  config: DecoderConfig,
  weights: PackedParameters,
  { modules }: PeftAdapter,
): Promise<PackedParameters> {
  const layout = loraLayout(config, (name) => modules.get(name)?.rank ?? 0);
  // Each module's scale goes into its B, since they may differ.
  const scaled = [...modules].map(
    ([name, { a, b, scale }]) => [name, { a, b: b.map((value) => scale * value) }] as const,
  );
  const flat = gpu.alloc('adapters', layout.count * 4);
  gpu.write(flat, flattenLora(layout, new Map(scaled)));
  const layers: PackedLayer[] = [];
  for (const [i, layer] of weights.layers.entries()) {
    const one = { count: layout.count, layers: [layout.layers[i]!] };
    const merge = await LoraMerge.create(gpu, { ...weights, layers: [layer] }, one, flat);
    const recorder = gpu.recorder();
    merge.record(recorder, 1);
    recorder.submit();
    await gpu.device.queue.onSubmittedWorkDone();
    for (const name of matrixBlocks) {
      if (layout.layers[i]![name]) gpu.free(...layer[name].flatMap(({ parts }) => parts.map((p) => p.tensor)));
    }
    layers.push(merge.weights.layers[0]!);
  }
  gpu.free(flat);
  gpu.throwIfFailed();
  return { ...weights, layers };
}
