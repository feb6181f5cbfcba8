/** @file Finds out whether the GPU gives a run the memory that it needs, before gigabytes of weights are read. */
import { formatMegabytes } from '../../base/bytes';
import { OutOfMemoryError, type Gpu, type Tensor } from '../../gpu/gpu';
import type { RunPlan } from '../../rl/plan';

/** The largest buffer that is asked for, in bytes. */
const PIECE = 2 ** 30;

/**
 * Allocates so much memory and frees it again.
 * @throws OutOfMemoryError
 */
export async function reserveMemory(gpu: Gpu, bytes: number): Promise<void> {
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
  const most = Math.min(PIECE, maxBufferSize, maxStorageBufferBindingSize);
  const pieces: Tensor[] = [];
  try {
    await gpu.allocating(() => {
      for (let rest = bytes; rest > 0; rest -= most) pieces.push(gpu.alloc('reserved', Math.min(rest, most)));
    });
  } finally {
    gpu.free(...pieces);
  }
}

/** The error for a run that this GPU has no room for. */
export function doesNotFit(name: string, bytes: RunPlan['bytes'], cause: Error): OutOfMemoryError {
  const { total = 0, ...parts } = bytes;
  const largest = Object.entries(parts)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([what, count]) => `${what} ${formatMegabytes(count)}`);
  return new OutOfMemoryError(
    `Training ${name} needs ${formatMegabytes(total)} of GPU memory (${largest.join(', ')}, …), and this GPU does not provide it. ` +
      `Choose fewer bits for the weights, a smaller group, shorter completions or a smaller model. (${cause.message})`,
    { cause },
  );
}
