/** @file English: words that several pages share. */
export const common = {
  cancel: 'Cancel',
  close: 'Close',
  delete: 'Delete',
  loading: 'Loading …',
  undo: 'Undo',

  table: {
    count: '{{shown, number}} of {{total, number}}',
    more_one: 'Show {{count}} more',
    more_other: 'Show {{count}} more',
  },

  // Whether the browser may delete what this site stores.
  persistence: {
    atRisk: 'The browser may delete this data when disk space is low.',
    protect: 'Protect it',
    protected: 'The browser won’t delete this data by itself.',
    refused:
      'The browser didn’t agree to protect this data. It may do so after more visits, or if you bookmark this page.',
  },
} as const;
