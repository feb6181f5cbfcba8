/**
 * @file C = A·Bᵀ on the GPU for any storage order of A and B. `matmulVariant` decides how a product is cut into
 * workgroups; `Matmul` compiles and records what it decided.
 */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import type { Recorder } from '../../gpu/recorder';

/** C [rows, columns] = A [rows, depth] · B [columns, depth]ᵀ. */
export interface MatmulShape {
  rows: number;
  columns: number;
  depth: number;
}

/** The part of C that one workgroup makes, and of that the part that one thread makes (multiples of 4). */
export interface MatmulTile {
  rows: number;
  columns: number;
  /** Depth of the slabs of A and B that pass through workgroup memory; a multiple of 8. */
  depth: number;
  threadRows: number;
  threadColumns: number;
  /** Read operands where they lie, by `matmul_direct`, instead of through workgroup memory. */
  direct?: boolean;
}

/** The properties of a GPU on which the choice of a tile depends. */
export interface MatmulAdapter {
  readonly isSoftware: boolean;
}

const tile = (rows: number, columns: number, depth: number, threadRows: number, threadColumns: number): MatmulTile => ({
  rows,
  columns,
  depth,
  threadRows,
  threadColumns,
});

/** Tiles for GPUs, the one with the most arithmetic for each byte first. All fit in 16 KiB and 256 threads. */
export const GPU_TILES: readonly MatmulTile[] = [
  tile(128, 128, 16, 8, 8),
  tile(128, 64, 16, 8, 4),
  tile(64, 64, 16, 8, 4),
  tile(32, 32, 32, 4, 4),
];
/** The tile for a handful of rows, as when one sequence is decoded. */
export const FLAT_TILE: MatmulTile = tile(16, 64, 32, 4, 4);
export const SOFTWARE_TILE: MatmulTile = { ...tile(16, 64, 8, 4, 4), direct: true };

/** Workgroups that keep a large GPU busy: about two for each of the 132 processors of an H200. */
const BUSY_GROUPS = 264;
/** Values of C up to which a split product is best cut into the smallest tiles. */
const SMALL_RESULT = 128 * 128;
/** A share of the depth below this is not worth a workgroup. */
const LEAST_CHUNK = 64;
/** Bound on the partial products of a split, in bytes. */
const MAX_PARTIAL_BYTES = 32 * 2 ** 20;

const groupsOf = (shape: MatmulShape, { rows, columns }: MatmulTile): number =>
  Math.ceil(shape.rows / rows) * Math.ceil(shape.columns / columns);

/** Share of the tiles' area that C fills. */
const fill = (shape: MatmulShape, t: MatmulTile): number =>
  (shape.rows * shape.columns) / (groupsOf(shape, t) * t.rows * t.columns);

/**
 * The tile for a product, by what `benchMatmul` with `sweep` measured on an H200 (docs/notes.md).
 * @param split whether the depth may be divided over workgroups too: the tile need not leave enough of them by itself
 */
export function matmulVariant(shape: MatmulShape, adapter: MatmulAdapter, split = false): MatmulTile {
  if (adapter.isSoftware) return SOFTWARE_TILE;
  if (shape.rows <= 16) return FLAT_TILE;
  const smallest = GPU_TILES.at(-1)!;
  const fits = (t: MatmulTile) => groupsOf(shape, t) >= busyGroups(t) && fill(shape, t) >= 0.75;
  if (split) {
    // With a split, a tile larger than 64×64 means more partial products to write and read; so does any in a small C.
    if (shape.rows * shape.columns <= SMALL_RESULT) return smallest;
    return GPU_TILES.find(fits) ?? (fill(shape, GPU_TILES[2]!) > 0.5 ? GPU_TILES[2]! : smallest);
  }
  return GPU_TILES.find(fits) ?? smallest;
}

/** Workgroups that make a tile worth it: large tiles need several waves, 64×64 reads so little that half a wave will do. */
function busyGroups({ rows, columns }: MatmulTile): number {
  if (rows * columns > 128 * 64) return 2.5 * BUSY_GROUPS;
  return rows === 64 ? BUSY_GROUPS / 2 : BUSY_GROUPS;
}

export interface MatmulSplit {
  splits: number;
  /** Depth of one share; a multiple of the tile's depth. */
  chunk: number;
}

function mostSplits(shape: MatmulShape, t: MatmulTile): number {
  const affordable = Math.floor(MAX_PARTIAL_BYTES / (4 * shape.rows * shape.columns));
  const wanted = Math.ceil(BUSY_GROUPS / groupsOf(shape, t));
  return Math.max(1, Math.min(affordable, wanted, Math.ceil(shape.depth / LEAST_CHUNK)));
}

/** Divides the depth so that enough workgroups run. Depends on the shape and the tile alone. */
export function matmulSplit(shape: MatmulShape, t: MatmulTile): MatmulSplit {
  const share = Math.max(LEAST_CHUNK, shape.depth / mostSplits(shape, t));
  const chunk = Math.ceil(share / t.depth) * t.depth;
  return { splits: Math.max(1, Math.ceil(shape.depth / chunk)), chunk };
}

/** Bytes that the partial products of a split need for any depth up to `shape.depth`. */
export function matmulPartialBytes(shape: MatmulShape, t: MatmulTile): number {
  const splits = mostSplits(shape, t);
  return splits > 1 ? 4 * splits * shape.rows * shape.columns : 0;
}

export interface MatmulOptions extends MatmulShape {
  /** A is stored as [depth, rows]; then `rows` is exact, else it is the most that one product will have. */
  depthMajorA?: boolean;
  /** B is stored as [depth, columns]. Unless both are depth-major, `depth` is exact. */
  depthMajorB?: boolean;
  bias?: boolean;
  /** Whether `record` will divide the depth over workgroups. */
  split?: boolean;
  /** Overrides `matmulVariant`'s choice, for benchmarks and tests. */
  tile?: MatmulTile;
}

export interface MatmulCall {
  a: Tensor;
  b: Tensor;
  /** [splits, rows, columns] */
  c: Tensor;
  /** [columns], when the product was created with a bias. */
  bias?: Tensor | null;
  rows: number;
  depth: number;
  /** C += instead of C =. */
  accumulate?: boolean;
  split?: MatmulSplit;
}

const tileKey = (t: MatmulTile): string =>
  `${t.rows}x${t.columns}x${t.depth}/${t.threadRows}x${t.threadColumns}${t.direct ? ' direct' : ''}`;

/** Rows are rounded up to a power of two before a tile is chosen, so that the variants can be compiled beforehand. */
const rowClass = (rows: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, rows)));

export class Matmul {
  private constructor(
    private readonly options: MatmulOptions,
    private readonly kernels: ReadonlyMap<string, Kernel>,
    private readonly adapter: MatmulAdapter,
  ) {}

  /** Compiles every variant that 1 to `rows` rows can need. */
  static async create(gpu: Gpu, options: MatmulOptions): Promise<Matmul> {
    const tiles = new Map<string, MatmulTile>();
    const largest = options.depthMajorA ? options.rows : rowClass(options.rows);
    for (let rows = options.depthMajorA ? options.rows : 1; rows <= largest; rows *= 2) {
      const t = tileFor(options, rows, gpu);
      tiles.set(tileKey(t), t);
    }
    const kernels = await Promise.all(
      [...tiles].map(async ([key, t]) => [key, await compile(gpu, options, t)] as const),
    );
    return new Matmul(options, new Map(kernels), gpu);
  }

  /** The tile that a product of so many rows uses. */
  tile(rows: number): MatmulTile {
    return tileFor(this.options, rows, this.adapter);
  }

  record(recorder: Recorder, call: MatmulCall): void {
    const { rows, depth } = call;
    const t = this.tile(rows);
    const { splits, chunk } = call.split ?? { splits: 1, chunk: Math.ceil(depth / t.depth) * t.depth };
    const bindings = [call.a, call.b, call.c];
    if (this.options.bias) {
      if (!call.bias) throw new Error('this matmul was created with a bias, but none was given');
      bindings.push(call.bias);
    }
    recorder.dispatch(
      this.kernels.get(tileKey(t))!,
      bindings,
      [rows, depth, chunk, call.accumulate ? 1 : 0],
      [Math.ceil(this.options.columns / t.columns), Math.ceil(rows / t.rows), splits],
    );
  }
}

function tileFor(options: MatmulOptions, rows: number, adapter: MatmulAdapter): MatmulTile {
  const { columns, depth } = options;
  const shape = { rows: options.depthMajorA ? rows : rowClass(rows), columns, depth };
  return options.tile ?? matmulVariant(shape, adapter, options.split);
}

function compile(gpu: Gpu, options: MatmulOptions, t: MatmulTile): Promise<Kernel> {
  const { rows, columns, depth, depthMajorA = false, depthMajorB = false, bias = false } = options;
  const strideA = depthMajorA ? rows : depth;
  const strideB = depthMajorB ? columns : depth;
  const threadsX = t.columns / t.threadColumns;
  const constants = {
    COLUMNS: columns,
    STRIDE_A: strideA,
    STRIDE_B: strideB,
    THREADS_X: threadsX,
    THREADS: threadsX * (t.rows / t.threadRows),
  };
  const conditions = {
    A_DEPTH_MAJOR: depthMajorA,
    B_DEPTH_MAJOR: depthMajorB,
    VEC4_A: strideA % 4 === 0,
    VEC4_B: strideB % 4 === 0,
    VEC4_C: columns % 4 === 0,
    BIAS: bias,
  };
  if (t.direct) {
    const blocked = depth % 4 === 0 && !(depthMajorA && depthMajorB);
    return gpu.kernel('train/linear/matmul_direct', { constants, conditions: { ...conditions, BLOCKED: blocked } });
  }
  const tileConstants = {
    TILE_ROWS: t.rows,
    TILE_COLUMNS: t.columns,
    TILE_DEPTH: t.depth,
    BLOCKS_Y: t.threadRows / 4,
    BLOCKS_X: t.threadColumns / 4,
  };
  return gpu.kernel('train/linear/matmul', { constants: { ...constants, ...tileConstants }, conditions });
}
