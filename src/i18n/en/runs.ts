/** @file English: the Runs page. */
export const runs = {
  title: 'Saved runs',
  // Above a run that is being exported or imported.
  busy: {
    events: 'Packing the events …',
    model: 'Packing the model …',
    reading: 'Reading the file …',
  },
  empty:
    'No runs are saved yet. A run is saved from its first step on: <train>start one</train>, or drop the exported events of a run here.',
  import: 'Import a run',
  storage: 'This site uses {{used}} of the {{quota}} that the browser allows.',

  // Small models that were imported as a .zip.
  models: {
    title: 'Imported models',
    chat: 'Chat',
    chatNamed: 'Chat with {{name}}',
    deleted: 'Deleted the model {{name}}.',
    deleteNamed: 'Delete {{name}}',
    imported: 'Imported the model {{name}}. It is listed below and can be chosen on the Chat and Train pages.',
    train: 'Train',
    trainNamed: 'Train {{name}}',
  },
  // What is wrong with an imported file.
  problem: {
    damaged: '“{{name}}” is damaged: line {{line}} is not an event of a run.',
    noCheckpoint: 'The checkpoint of step {{step}} is no longer stored.',
    notARun:
      '“{{name}}” isn’t a training run. Choose the exported events of a run (.jsonl) or an exported model (.zip).',
  },
  // One run. The `…Named` texts are read out in place of the short ones.
  row: {
    accuracy: 'accuracy {{accuracy}}',
    chat: 'Chat',
    chatNamed: 'Chat with {{name}}',
    deleteNamed: 'Delete {{name}}',
    exportAdapter: 'Export adapter',
    exportAdapterHint: 'The adapter of step {{step}} as a PEFT folder',
    exportAdapterNamed: 'Export adapter of {{name}}',
    exportEvents: 'Export events',
    exportEventsHint: 'The run’s events as JSON lines',
    exportEventsNamed: 'Export events of {{name}}',
    exportModel: 'Export model',
    exportModelHint: 'The weights of step {{step}} as a Hugging Face folder',
    exportModelNamed: 'Export model of {{name}}',
    exportedPart: 'Some of this run’s events are damaged. The file has those that can be read.',
    nameLabel: 'Name of the run',
    rename: 'Rename',
    renamed: 'Renamed to {{name}}.',
    renameNamed: 'Rename {{name}}',
    resume: 'Resume',
    resumeNamed: 'Resume {{name}}',
    save: 'Save',
    seed: 'seed {{seed}}',
    // A preset or a task, and a time or a date: “Small batch, 08:17”.
    title: '{{what}}, {{when}}',
    watch: 'Watch',
    watchNamed: 'Watch {{name}}',
  },
  status: {
    failed: 'failed after {{done}} of {{total}} steps',
    finished_one: '{{count}} step',
    finished_other: '{{count}} steps',
    open: '{{done}} of {{total}} steps',
    resumable: '{{done}} of {{total}} steps, can be resumed',
    stopped: 'stopped after {{done}} of {{total}} steps',
  },
} as const;
