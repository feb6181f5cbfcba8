/** @file English: what the browser's storage says when it is full or closed, and saved things that are missing. */
export const storage = {
  /** The quota is used up. One sentence says so, the next what to do. */
  full: {
    runs: "The browser's storage for this site is full. Delete saved runs or models, or export this run to a file.",
    models: "The browser's storage for this site is full. Delete saved runs or models, then try again.",
    dataSets: "The browser's storage for this site is full. Delete data sets, runs or models, then try again.",
    evaluations: "The browser's storage for this site is full. Delete evaluations, runs or models, then continue.",
    conversations:
      "The browser's storage for this site is full, so this conversation is not saved. Export it, or delete conversations, runs or models.",
    servers:
      "The browser's storage for this site is full, so this server is not saved. Delete conversations, runs or models, then try again.",
  },
  /** The browser keeps nothing for this site, as Firefox does in private windows or when site data is blocked. */
  refused: {
    runs: "This browser doesn't let the site store anything, as in some private windows. Runs are not saved.",
    models: "This browser doesn't let the site store anything, as in some private windows. Models are not saved.",
    dataSets: "This browser doesn't let the site store anything, as in some private windows. Data sets are not saved.",
    evaluations: "This browser doesn't let the site store anything, as in some private windows. Answers are not saved.",
    conversations:
      "This browser doesn't let the site store anything, as in some private windows. Conversations are not saved.",
    servers: "This browser doesn't let the site store anything, as in some private windows. Servers are not saved.",
  },
  conversations: {
    notJson: "It isn't JSON.",
    invalid: "It isn't a file of conversations.",
    /** `path` is the place in the file, such as `conversations.0.id`. */
    invalidAt: "It isn't a file of conversations: {{path}} is missing or invalid.",
    untitled: 'New conversation',
  },
  dataSets: {
    empty: 'There is nothing to save: no answer was accepted.',
    missing: 'There is no data set “{{name}}” on this device. You can make or import one on the Distil page.',
  },
  runs: {
    nameMissing: 'A run needs a name.',
    notARun: 'This is not a run: it has no started event.',
    savingStopped: 'This run is no longer being saved, but it continues. {{reason}}',
  },
} as const;
