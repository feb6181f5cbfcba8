/** @file Mean and standard deviation as TRL takes them: missing values are left out, variance has Bessel's correction. */

type Values = readonly (number | null)[];

/** Mean of the values there are; NaN without any. Exact when all are equal, so that a flat group has zero advantages. */
export function mean(values: Values): number {
  const present = values.filter((value) => value !== null);
  const first = present[0];
  if (first === undefined) return NaN;
  return first + present.reduce((sum, value) => sum + (value - first), 0) / present.length;
}

/** Sample standard deviation of the values there are; NaN for fewer than two. */
export function standardDeviation(values: Values): number {
  const present = values.filter((value) => value !== null);
  if (present.length < 2) return NaN;
  const centre = mean(present);
  return Math.sqrt(present.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (present.length - 1));
}
