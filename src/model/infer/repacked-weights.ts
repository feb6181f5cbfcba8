/**
 * @file Packed copies of f32 weights that learn, so that a model too wide for the one-dispatch decoder samples with what it
 * has just learned. The copies are made on the GPU, one dispatch a matrix.
 */
import { matrixBlocks, vectorBlocks } from '../../formats/hf/architecture';
import { slice, type Gpu, type Tensor } from '../../gpu/gpu';
import type { Recorder } from '../../gpu/recorder';
import { Packer } from '../../nn/infer/pack';
import type { PackedMatrix } from '../../nn/infer/packed';
import type { ParameterViews } from '../train/parameters';
import { allocatePackedParameters, type PackedParameters } from './packed-parameters';
import type { WeightPlan } from './weight-plan';

export class RepackedWeights {
  private constructor(
    readonly weights: PackedParameters,
    private readonly packers: ReadonlyMap<string, Packer>,
  ) {}

  /**
   * @param plan of weights that are stored as f32, with every projection in one matrix
   * @throws OutOfMemoryError
   */
  static async create(gpu: Gpu, plan: WeightPlan): Promise<RepackedWeights> {
    const weights = await allocatePackedParameters(gpu, plan);
    const packers = new Map<string, Packer>();
    for (const { kind, columns } of matricesOf(weights)) {
      const key = packerKey(kind, columns);
      if (!packers.has(key)) packers.set(key, await Packer.create(gpu, { from: 'f32', kind, columns }));
    }
    return new RepackedWeights(weights, packers);
  }

  /** Copies all weights of `from`. */
  record(recorder: Recorder, from: ParameterViews): void {
    const { weights } = this;
    this.pack(recorder, from.embedding, weights.embedding);
    if (weights.head !== weights.embedding) this.pack(recorder, from.head, weights.head);
    copy(recorder, from.finalNorm, weights.finalNorm);
    weights.layers.forEach((layer, i) => {
      const source = from.layers[i]!;
      // Weights that are all stored as f32 lie in one matrix for each block.
      for (const block of matrixBlocks) this.pack(recorder, source[block]!, layer[block][0]!);
      for (const block of vectorBlocks) {
        if (layer[block]) copy(recorder, source[block]!, layer[block]);
      }
    });
  }

  private pack(recorder: Recorder, from: Tensor, matrix: PackedMatrix): void {
    this.packers.get(packerKey(matrix.kind, matrix.columns))!.pack(recorder, from, matrix.rows, matrix);
  }
}

const packerKey = (kind: string, columns: number) => `${kind} ${columns}`;

const matricesOf = ({ embedding, head, layers }: PackedParameters): PackedMatrix[] => [
  embedding,
  head,
  ...layers.flatMap((layer) => matrixBlocks.flatMap((block) => layer[block])),
];

/** A vector may be followed by padding in one of the two. */
function copy(recorder: Recorder, from: Tensor, to: Tensor): void {
  const bytes = Math.min(from.size, to.size);
  recorder.copy(slice(from, 0, bytes), slice(to, 0, bytes), bytes);
}
