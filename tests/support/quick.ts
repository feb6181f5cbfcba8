/** @file What `npm test` leaves to `npm run test:all`. */

/**
 * All of some cases, or the first few in `npm test`, where most of the time goes into compiling a shader for each. The
 * same files run whole in `npm run test:all`.
 * @param few how many show that the kernels work at all
 */
export const quickly = <T>(few: number, cases: readonly T[]): readonly T[] =>
  process.env.TINYTHINK_QUICK ? cases.slice(0, few) : cases;
