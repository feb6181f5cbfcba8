/** @file English: train. */
export const train = {} as const;
