/** @file English: config. */
export const config = {} as const;
