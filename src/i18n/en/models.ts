/** @file English: models. */
export const models = {} as const;
