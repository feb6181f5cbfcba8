/** @file English: words that several pages share. */
export const common = {
  cancel: 'Cancel',
  close: 'Close',
  delete: 'Delete',
  undo: 'Undo',
} as const;
