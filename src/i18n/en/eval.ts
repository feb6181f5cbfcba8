/** @file English: eval. */
export const evaluation = {} as const;
