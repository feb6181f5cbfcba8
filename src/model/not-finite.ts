/** @file Models whose arithmetic has broken down: NaN or infinity in the weights, or an overflow on the way. */

/** A model's numbers are not finite, so nothing can be drawn from them. */
export class NotFiniteError extends Error {
  override name = 'NotFiniteError';

  constructor() {
    super('This model’s output is not a number (NaN), so it has no answer. Its weights are damaged or have diverged.');
  }
}

/**
 * @param logprob of a token that was drawn: no number exactly if the logits that it was drawn from hold NaN or infinity
 * @throws NotFiniteError
 */
export function checkFinite(logprob: number): void {
  if (!Number.isFinite(logprob)) throw new NotFiniteError();
}
