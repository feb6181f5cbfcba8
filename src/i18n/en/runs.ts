/** @file English: runs. */
export const runs = {} as const;
