/**
 * @file A small seeded generator for everything the CPU draws (problems, traces, weight initialisation).
 * Streams are keyed by any number of integers, so a run needs no generator state in its checkpoints: the problems of
 * step 7 come from `rng(seed, 7)` whether or not steps 0 to 6 were run in this process.
 */

export interface Rng {
  /** Uniform in [0, 1), 32 random bits. */
  next(): number;
  /** Uniform integer in [low, high], both included. */
  int(low: number, high: number): number;
  /** One element of a non-empty list, uniformly. */
  pick<T>(items: readonly T[]): T;
  /** A shuffled copy (Fisher–Yates). */
  shuffle<T>(items: readonly T[]): T[];
}

/** A generator keyed by integers: the same keys give the same stream, different keys give unrelated ones (sfc32). */
export function rng(...keys: number[]): Rng {
  let a = 0x9e3779b9,
    b = 0x243f6a88,
    c = 0xb7e15162,
    counter = 1;
  const next32 = () => {
    const t = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return t >>> 0;
  };
  for (const key of keys) {
    a ^= key | 0;
    b = (b + Math.floor(key / 2 ** 32)) | 0;
    for (let i = 0; i < 12; i++) next32();
  }
  const next = () => next32() / 2 ** 32;
  const int = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    int,
    pick: (items) => items[int(0, items.length - 1)]!,
    shuffle(items) {
      const out = [...items];
      for (let i = out.length - 1; i > 0; i--) {
        const j = int(0, i);
        [out[i], out[j]] = [out[j]!, out[i]!];
      }
      return out;
    },
  };
}
