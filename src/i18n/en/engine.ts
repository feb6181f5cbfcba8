/** @file English: engine. */
export const engine = {} as const;
