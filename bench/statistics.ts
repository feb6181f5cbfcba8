/** @file What benchmarks report of repeated measurements. */

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export const spread = (times: readonly number[]) => ({
  median_ms: median(times),
  min_ms: Math.min(...times),
  max_ms: Math.max(...times),
});

/** Milliseconds of each of `repeats` calls, after `warmup` that are not counted. */
export async function clocked(work: () => Promise<unknown>, warmup: number, repeats: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < warmup + repeats; i++) {
    const start = performance.now();
    await work();
    if (i >= warmup) times.push(performance.now() - start);
  }
  return times;
}
