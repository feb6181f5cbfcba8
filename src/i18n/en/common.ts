/** @file English: words that several pages share. */
export const common = {
  cancel: 'Cancel',
  close: 'Close',
  copied: 'Copied',
  copy: 'Copy',
  copyBlocked: 'The browser blocks copying here',
  delete: 'Delete',
  dismiss: 'Dismiss',
  loading: 'Loading …',
  undo: 'Undo',

  /** Headings of lists of models. */
  modelGroups: { tiny: 'Tiny models', downloaded: 'Downloaded models', servers: 'On servers', files: 'Your files' },

  table: {
    count: '{{shown, number}} of {{total, number}}',
    more_one: 'Show {{count}} more',
    more_other: 'Show {{count}} more',
  },

  // What was removed and can still be restored.
  deleted: 'Deleted “{{name}}”.',
  removed: 'Removed “{{name}}”.',

  // In text that a model wrote.
  markdown: {
    copyCode: 'Copy the code',
    copyLanguage: 'Copy the {{language}} code',
    /** The link text of an image without a description. */
    image: 'image',
    moreCharacters_one: '{{count, number}} more character is not shown.',
    moreCharacters_other: '{{count, number}} more characters are not shown.',
    moreOfAnswer_one: '{{count, number}} more character is not shown. Copying the answer includes it.',
    moreOfAnswer_other: '{{count, number}} more characters are not shown. Copying the answer includes them.',
    moreCells_one: '{{count, number}} more cell is not shown.',
    moreCells_other: '{{count, number}} more cells are not shown.',
  },

  /** What is wrong with a field of a file. They stand behind “Line 3: ” and before a full stop. */
  invalid: {
    whole: 'this is not what is expected here',
    missing: '“{{path}}” is missing',
    text: '“{{path}}” must be text',
    number: '“{{path}}” must be a number',
    boolean: '“{{path}}” must be true or false',
    list: '“{{path}}” must be a list',
    object: '“{{path}}” must be an object',
    range: '“{{path}}” is too large, too small, too long or empty',
    own: '“{{path}}”: {{reason}}',
    other: '“{{path}}” has a value that is not allowed here',
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
