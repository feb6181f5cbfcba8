/** @file English: connect. */
export const connect = {} as const;
