/** @file English: chat. */
export const chat = {} as const;
