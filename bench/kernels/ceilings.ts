/** @file What this GPU can do at best, measured beside what we make of it: bytes, arithmetic, dispatches. */
import type { Gpu } from '../../src/gpu/gpu';
import { grid, type Recorder } from '../../src/gpu/recorder';
import { Gemm } from '../../src/nn/infer/gemm';
import { packedRowBytes } from '../../src/nn/infer/packed';
import { median } from '../statistics';

export interface Ceilings {
  /** Bytes read plus bytes written, 10^9 a second, of a copy by a kernel. */
  copy_gb_per_s: number;
  /** A matrix product of f16 weights, 4,096 in every direction, by the kernel that prefill uses: 10^12 a second. */
  matmul_tflops: number;
  /** Microseconds from one dispatch to the next one that depends on it. */
  dispatch_us: number;
}

const COPY_BYTES = 2 ** 28;
const SIZE = 4096;
const DISPATCHES = 1000;
const WARM_UP_MILLISECONDS = 1500;

export async function measureCeilings(gpu: Gpu): Promise<Ceilings> {
  const small = gpu.isSoftware;
  const copyBytes = small ? 2 ** 24 : COPY_BYTES;
  const size = small ? 256 : SIZE;
  const gemm = await Gemm.create(gpu, { kind: 'f16', inFeatures: size, outFeatures: size, maxTokens: size });
  const weight = gpu.alloc('weights', size * packedRowBytes('f16', size));
  const x = gpu.alloc('x', 4 * size * size);
  const y = gpu.alloc('y', 4 * size * size);
  const matrix = {
    kind: 'f16',
    rows: size,
    columns: size,
    parts: [{ tensor: weight, firstRow: 0, rows: size }],
  } as const;
  const multiply = (recorder: Recorder) => {
    for (let i = 0; i < 4; i++) gemm.record(recorder, { x, weight: matrix, y }, size);
  };
  // An idle GPU clocks down, and takes about a second to come back.
  for (const start = performance.now(); !small && performance.now() - start < WARM_UP_MILLISECONDS;) {
    await timed(gpu, multiply);
  }
  const matmul = await timed(gpu, multiply);
  const flat = await gpu.kernel('train/layers/swiglu', { constants: { SIZE: 64 } });
  const dispatch = await timed(gpu, (recorder) => {
    for (let i = 0; i < DISPATCHES; i++) recorder.dispatch(flat, i % 2 ? [y, x] : [x, y], [1], [1]);
  });
  gpu.free(weight, x, y);

  const copier = await gpu.kernel('benchmark/copy');
  const from = gpu.alloc('copy from', copyBytes);
  const to = gpu.alloc('copy to', copyBytes);
  const copies = 10;
  const copy = await timed(gpu, (recorder) => {
    for (let i = 0; i < copies; i++) {
      recorder.dispatch(copier, i % 2 ? [to, from] : [from, to], [copyBytes / 16], grid(copyBytes / 16 / 256));
    }
  });
  gpu.free(from, to);
  return {
    copy_gb_per_s: (2 * copies * copyBytes) / copy / 1e6,
    matmul_tflops: (4 * 2 * size ** 3) / matmul / 1e9,
    dispatch_us: (1000 * dispatch) / DISPATCHES,
  };
}

/** Milliseconds by the clock, submission and wait included: median of five, after two. */
async function timed(gpu: Gpu, record: (recorder: Recorder) => void): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 7; i++) {
    const recorder = gpu.recorder();
    record(recorder);
    const start = performance.now();
    recorder.submit();
    await gpu.device.queue.onSubmittedWorkDone();
    if (i >= 2) times.push(performance.now() - start);
  }
  return median(times);
}

export const formatCeilings = (c: Ceilings): string =>
  `ceilings: copy ${c.copy_gb_per_s.toFixed(0)} GB/s, matmul ${c.matmul_tflops.toFixed(1)} TFLOP/s, ${c.dispatch_us.toFixed(1)} µs a dependent dispatch`;
