/** @file English: servers. */
export const servers = {} as const;
