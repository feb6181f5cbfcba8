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
    dataSets:
      "This browser doesn't let the site store anything, as in some private windows. Data sets and answers are not saved.",
    evaluations: "This browser doesn't let the site store anything, as in some private windows. Answers are not saved.",
    conversations:
      "This browser doesn't let the site store anything, as in some private windows. Conversations are not saved.",
    servers: "This browser doesn't let the site store anything, as in some private windows. Servers are not saved.",
  },
  /** The browser's database itself doesn't work. */
  failed: {
    runs: "The browser's database of saved runs doesn't work. Close the other tabs of tinythink and reload this page. If that doesn't help, restart the browser.",
    models:
      "The browser's database of models doesn't work. Close the other tabs of tinythink and reload this page. If that doesn't help, restart the browser.",
    dataSets:
      "The browser's database of data sets doesn't work. Close the other tabs of tinythink and reload this page. If that doesn't help, restart the browser.",
    evaluations:
      "The browser's database of evaluations doesn't work. Close the other tabs of tinythink and reload this page. If that doesn't help, restart the browser.",
    conversations:
      "The browser's database of conversations doesn't work. Close the other tabs of tinythink and reload this page. If that doesn't help, restart the browser.",
    servers:
      "The browser's database of servers doesn't work. Close the other tabs of tinythink and reload this page. If that doesn't help, restart the browser.",
  },
  /** Records that are stored but damaged, or of a later version. They are listed, and can be exported and deleted. */
  unreadable: {
    // Why one can't be read.
    later: 'It was saved by a later version of tinythink. Reload the page to get that version.',
    /** `path` is the place in the record, such as `config.max_steps`. */
    wrongField: 'It is damaged: its “{{path}}” is missing or wrong.',
    noRecord: 'It is damaged: what is stored is something else.',
    lost: 'The browser can no longer read it from the disk.',
    noEntry: 'Its entry in the list is missing, but the rest of it is still here.',
    onlyEntry: 'Only its entry in the list is left.',
    damagedEvents: 'Part of its events is damaged.',
    noEvents: 'Its events are missing.',
    noLines: 'It is damaged: its samples are missing or can’t be unpacked.',
    // One that was asked for.
    one: {
      runs: 'The run “{{name}}” can’t be read. {{reason}} You can export what is left of it, or delete it, on the Runs page.',
      models: 'The model “{{name}}” can’t be read. {{reason}} You can export what is left of it, or delete it.',
      dataSets:
        'The data set “{{name}}” can’t be read. {{reason}} You can export what is left of it, or delete it, on the Distil page.',
      evaluations:
        'The evaluation “{{name}}” can’t be read. {{reason}} You can export what is left of it, or delete it.',
      conversations:
        'The conversation “{{name}}” can’t be read. {{reason}} You can export what is left of it, or delete it, in the list of conversations.',
      servers: 'The server “{{name}}” can’t be read. {{reason}} You can delete it on the Connect page.',
    },
    // The list of them on a page.
    title: {
      runs: 'Runs that can’t be read',
      models: 'Models that can’t be read',
      dataSets: 'Data sets that can’t be read',
      evaluations: 'Evaluations that can’t be read',
      conversations: 'Conversations that can’t be read',
      servers: 'Servers that can’t be read',
    },
    hint: 'Everything else works as usual. An export has all that is stored of the record.',
    export: 'Export',
    exportNamed: 'Export what is left of {{name}}',
    deleteNamed: 'Delete {{name}}, which can’t be read',
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
