/** @file Linear scales and round ticks. */

export interface Scale {
  (value: number): number;
  domain: readonly [number, number];
  range: readonly [number, number];
  /** From a position back to a value. */
  invert(position: number): number;
}

export function linearScale(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const [d0, d1] = domain;
  const [r0, r1] = range;
  const span = d1 - d0 || 1;
  const scale = (value: number): number => r0 + ((value - d0) / span) * (r1 - r0);
  return Object.assign(scale, {
    domain,
    range,
    invert: (position: number) => d0 + ((position - r0) / (r1 - r0 || 1)) * span,
  });
}

/**
 * Ticks that divide [low, high] evenly, both ends included: as many of at most `count` parts as give short numbers, which
 * are whole or have at most two significant digits.
 */
export function valueTicks(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low];
  for (let parts = count; parts > 1; parts--) {
    const step = Number(((high - low) / parts).toPrecision(12));
    if (Number.isInteger(step) || Number(step.toPrecision(2)) === step) {
      return Array.from({ length: parts + 1 }, (_, i) => Number((low + i * step).toPrecision(12)));
    }
  }
  return [low, high];
}

/** About `count` whole steps from 0 to `end`, both included: multiples of 1, 2 or 5 × 10ⁿ, but for the last. */
export function stepTicks(end: number, count: number): number[] {
  const step = Math.max(1, roundStep(end / Math.max(1, count)));
  const result: number[] = [];
  // A multiple close to the end would overlap it.
  for (let tick = 0; tick <= end - step / 2; tick += step) result.push(tick);
  return [...result, end];
}

/** The smallest of 1, 2, 5 × 10ⁿ that is at least `rough`. */
function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= rough * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** A round upper bound, so that an axis changes rarely while values arrive; 1 if there are none. */
export function roundUp(value: number): number {
  if (!(value > 0 && Number.isFinite(value))) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 1.5, 2, 3, 4, 5, 7.5].find((candidate) => candidate * power >= value * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/**
 * End of the step axis. It doubles when it is full, up to the length of the run, so that early steps can be seen and the
 * axis changes only a few times.
 */
export function stepAxisEnd(last: number, maxSteps: number): number {
  let end = 20;
  while (end < last) end *= 2;
  return Math.max(last, Math.min(end, Math.max(maxSteps, 1)));
}
