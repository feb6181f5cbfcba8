/**
 * @file A decoder's weights on the GPU in packed form, streamed there from their files: of a model of gigabytes, the
 * JavaScript heap never holds more than a few pieces.
 */
import { matrixBlocks, vectorBlocks, type MatrixBlock, type VectorBlock } from '../../formats/hf/architecture';
import type { TensorEntry } from '../../formats/files/model-files';
import type { Model } from '../../formats/model';
import { readTensor } from '../../formats/gguf/dequantise';
import { alignUp, slice, type Gpu, type Tensor } from '../../gpu/gpu';
import { Packer, type PackPlace } from '../../nn/infer/pack';
import { kindOf, packedRowBytes, type PackedMatrix, type WeightKind } from '../../nn/infer/packed';
import {
  planMatrices,
  planVectors,
  type LayerPlan,
  type MatrixPiece,
  type MatrixPlan,
  type VectorPlan,
  type WeightPlan,
} from './weight-plan';

/** Bytes of a file that are moved to the GPU at a time, and so about the heap that loading needs. */
const PIECE_BYTES = 8 * 2 ** 20;
/** Wait for the GPU after so many bytes: what it has not consumed yet takes memory too. */
const IN_FLIGHT_BYTES = 64 * 2 ** 20;

/** A layer's weights as planned: several matrices for a block whose tensors are stored in different kinds. */
export type PackedLayer = Record<MatrixBlock, PackedMatrix[]> & Partial<Record<VectorBlock, Tensor>>;

export interface PackedParameters {
  layers: PackedLayer[];
  embedding: PackedMatrix;
  /** The embedding when tied. */
  head: PackedMatrix;
  finalNorm: Tensor;
}

/** Bytes of stored weights that have been read. */
export type LoadProgress = (done: number, total: number) => void;

/**
 * Allocates the plan's buffers and streams the model's weights into them.
 * @throws OutOfMemoryError with the number of bytes when they don't fit; AbortError
 */
export async function loadPackedParameters(
  gpu: Gpu,
  model: Pick<Model, 'tensors' | 'bytes'>,
  plan: WeightPlan,
  onProgress: LoadProgress = () => {},
  signal?: AbortSignal,
): Promise<PackedParameters> {
  const allocated: Tensor[] = [];
  try {
    const { matrices, vectors } = await gpu.allocating(() => allocate(gpu, plan, allocated));
    const loader = new Loader(gpu, model, onProgress, signal);
    for (const [matrixPlan, matrix] of matrices) await loader.matrix(matrixPlan, matrix);
    for (const [vectorPlan, tensor] of vectors) await loader.vector(vectorPlan, tensor);
    await loader.finish();
    return assemble(plan, { matrices, vectors });
  } catch (error) {
    gpu.free(...allocated);
    throw error;
  }
}

/** The plan's buffers without any contents. @throws OutOfMemoryError */
export async function allocatePackedParameters(gpu: Gpu, plan: WeightPlan): Promise<PackedParameters> {
  return assemble(plan, await gpu.allocating(() => allocate(gpu, plan, [])));
}

/** Frees every buffer of the parameters. */
export function freePackedParameters(gpu: Gpu, { layers, embedding, head, finalNorm }: PackedParameters): void {
  const matrices = [embedding, head, ...layers.flatMap((layer) => matrixBlocks.flatMap((block) => layer[block]))];
  const tensors = new Set(matrices.flatMap(({ parts }) => parts.map(({ tensor }) => tensor)));
  // All vectors are slices of one buffer.
  gpu.free(...tensors, finalNorm);
}

type Allocation = { matrices: Map<MatrixPlan, PackedMatrix>; vectors: Map<VectorPlan, Tensor> };

function allocate(gpu: Gpu, plan: WeightPlan, allocated: Tensor[]): Allocation {
  const alloc = (label: string, bytes: number) => {
    const tensor = gpu.alloc(label, bytes);
    allocated.push(tensor);
    return tensor;
  };
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
  const mostBytes = Math.min(maxBufferSize, maxStorageBufferBindingSize, plan.largestBuffer ?? Infinity);
  const matrices = new Map(planMatrices(plan).map((matrix) => [matrix, allocateMatrix(matrix, mostBytes, alloc)]));
  const vectorPlans = planVectors(plan);
  const flat = alloc(
    'norms and biases',
    vectorPlans.reduce((sum, { size }) => sum + alignUp(4 * size), 0),
  );
  let next = 0;
  const vectors = new Map(
    vectorPlans.map((vector) => {
      const tensor = slice(flat, next, 4 * vector.size);
      next += alignUp(4 * vector.size);
      return [vector, tensor];
    }),
  );
  return { matrices, vectors };
}

/** One buffer, or as many as the binding limit makes necessary. */
function allocateMatrix(
  plan: MatrixPlan,
  mostBytes: number,
  alloc: (label: string, bytes: number) => Tensor,
): PackedMatrix {
  const { kind, rows, columns, label } = plan;
  const rowBytes = packedRowBytes(kind, columns);
  const mostRows = Math.floor(mostBytes / rowBytes);
  const parts = runs(plan.pieces).flatMap((run) => {
    const count = Math.ceil(run.rows / mostRows);
    // A multiple of 8 rows, so that kernels with several rows a workgroup meet an odd rest only at the very end.
    const share = Math.min(mostRows, Math.ceil(run.rows / count / 8) * 8);
    return Array.from({ length: Math.ceil(run.rows / share) }, (_, i) => {
      const partRows = Math.min(share, run.rows - i * share);
      return { tensor: alloc(label, partRows * rowBytes), firstRow: run.firstRow + i * share, rows: partRows };
    });
  });
  return { kind, rows, columns, parts };
}

/** Pieces that follow one another, as one. */
function runs(pieces: readonly MatrixPiece[]): { firstRow: number; rows: number }[] {
  const joined: { firstRow: number; rows: number }[] = [];
  for (const { firstRow, rows } of pieces) {
    const last = joined.at(-1);
    if (last && last.firstRow + last.rows === firstRow) last.rows += rows;
    else joined.push({ firstRow, rows });
  }
  return joined;
}

function assemble(plan: WeightPlan, { matrices, vectors }: Allocation): PackedParameters {
  const layer = (planned: LayerPlan) =>
    Object.fromEntries([
      ...matrixBlocks.map((block) => [block, planned[block].map((matrix) => matrices.get(matrix)!)]),
      ...vectorBlocks.flatMap((block) => (planned[block] ? [[block, vectors.get(planned[block])!]] : [])),
    ]) as PackedLayer;
  const embedding = matrices.get(plan.embedding)!;
  return {
    layers: plan.layers.map(layer),
    embedding,
    head: plan.head ? matrices.get(plan.head)! : embedding,
    finalNorm: vectors.get(plan.finalNorm)!,
  };
}

/** Moves tensors from files to the GPU, a few megabytes at a time. */
class Loader {
  private done = 0;
  private inFlight = 0;
  private staging: Tensor | null = null;

  constructor(
    private readonly gpu: Gpu,
    private readonly model: Pick<Model, 'tensors' | 'bytes'>,
    private readonly onProgress: LoadProgress,
    private readonly signal: AbortSignal | undefined,
  ) {}

  async matrix(plan: MatrixPlan, matrix: PackedMatrix): Promise<void> {
    for (const piece of plan.pieces) {
      const entry = this.entry(piece.name);
      const from = kindOf(entry.type);
      await this.stream(entry, from, piece, matrix);
    }
  }

  async vector(plan: VectorPlan, tensor: Tensor): Promise<void> {
    let at = 0;
    for (const name of plan.names) {
      const entry = this.entry(name);
      const values = await readTensor(entry, this.signal);
      this.gpu.write(tensor, values, at);
      at += values.byteLength;
      this.progress(entry.bytes);
    }
  }

  async finish(): Promise<void> {
    await this.gpu.device.queue.onSubmittedWorkDone();
    if (this.staging) this.gpu.free(this.staging);
    this.gpu.throwIfFailed();
  }

  private entry(name: string): TensorEntry {
    const entry = this.model.tensors.get(name);
    if (!entry) throw new Error(`the model has no tensor ${name}`);
    return entry;
  }

  /** Whole rows, as many as fit a piece, through the packing kernel. */
  private async stream(entry: TensorEntry, from: WeightKind, piece: MatrixPiece, matrix: PackedMatrix): Promise<void> {
    const packer = await Packer.create(this.gpu, { from, kind: matrix.kind, columns: matrix.columns });
    const rowBytes = packer.fileRowBytes;
    const pieceRows = Math.max(1, Math.floor(PIECE_BYTES / rowBytes));
    const file = entry.file.read(entry.begin, entry.begin + entry.bytes, this.signal);
    const headDim = entry.interleavedHeads ? piece.rows / entry.interleavedHeads : 0;
    let row = 0;
    for await (const rows of inRows(file, rowBytes, pieceRows)) {
      const count = rows.byteLength / rowBytes;
      await this.pack(packer, rows, matrix, { rows: count, destinationRow: piece.firstRow, firstRow: row, headDim });
      this.progress(rows.byteLength);
      row += count;
    }
    if (row !== piece.rows) throw new Error(`${entry.file.name} ended within ${entry.name}`);
  }

  private async pack(
    packer: Packer,
    bytes: Uint8Array<ArrayBuffer>,
    matrix: PackedMatrix,
    { rows, ...place }: PackPlace & { rows: number },
  ): Promise<void> {
    this.signal?.throwIfAborted();
    const staging = this.stagingFor(bytes.byteLength);
    // WebGPU writes multiples of four bytes; what follows a short last piece is never read.
    const whole = bytes.byteLength & ~3;
    this.gpu.write(staging, bytes.subarray(0, whole));
    if (whole < bytes.byteLength) {
      const rest = new Uint8Array(4);
      rest.set(bytes.subarray(whole));
      this.gpu.write(staging, rest, whole);
    }
    const recorder = this.gpu.recorder();
    packer.pack(recorder, staging, rows, matrix, place);
    recorder.submit();
    this.inFlight += bytes.byteLength;
    if (this.inFlight >= IN_FLIGHT_BYTES) {
      this.inFlight = 0;
      await this.gpu.device.queue.onSubmittedWorkDone();
    }
  }

  private stagingFor(bytes: number): Tensor {
    if (!this.staging || this.staging.size < bytes) {
      if (this.staging) this.gpu.free(this.staging);
      this.staging = this.gpu.alloc('weights in transit', Math.max(bytes, PIECE_BYTES) + 16);
    }
    return this.staging;
  }

  private progress(bytes: number): void {
    this.done += bytes;
    this.onProgress(this.done, this.model.bytes);
  }
}

/** Pieces of a stream as pieces of whole rows, at most `most` of them each. */
async function* inRows(
  stream: AsyncIterable<Uint8Array<ArrayBuffer>>,
  rowBytes: number,
  most: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const buffer = new Uint8Array(most * rowBytes);
  let filled = 0;
  for await (const piece of stream) {
    let at = 0;
    while (at < piece.byteLength) {
      const take = Math.min(piece.byteLength - at, buffer.byteLength - filled);
      buffer.set(piece.subarray(at, at + take), filled);
      at += take;
      filled += take;
      if (filled === buffer.byteLength) {
        // Written to the GPU before the next turn: writeBuffer copies at once, so the buffer can be filled again.
        yield buffer;
        filled = 0;
      }
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled - (filled % rowBytes));
}
