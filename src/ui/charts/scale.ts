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

/** About `count` round numbers within [low, high], multiples of 1, 2 or 5 × 10ⁿ; for a count of 1, the two ends. */
export function ticks(low: number, high: number, count: number): number[] {
  if (!(high > low) || count < 1) return [low];
  if (count === 1) return [low, high];
  const step = roundStep((high - low) / count);
  const result: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++)
    result.push(Number((i * step).toPrecision(12)));
  return result;
}

/** The smallest of 1, 2, 5 × 10ⁿ that is at least `rough`. */
export function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= rough * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** An upper bound on a round scale, so that an axis changes rarely while values arrive; 1 for no data. */
export function roundUp(value: number): number {
  if (!(value > 0 && Number.isFinite(value))) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 1.5, 2, 3, 4, 5, 7.5].find((candidate) => candidate * power >= value * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/**
 * End of the step axis: doubles when it is full, up to the length of the run, so that early steps can be seen and the
 * picture changes only a few times.
 */
export function stepAxisEnd(last: number, maxSteps: number): number {
  let end = 20;
  while (end < last) end *= 2;
  return Math.max(last, Math.min(end, Math.max(maxSteps, 1)));
}
