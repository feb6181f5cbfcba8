/** @file English: about. */
export const about = {} as const;
