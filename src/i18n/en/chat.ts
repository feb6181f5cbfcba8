/** @file English: the Chat page. */
export const chat = {
  /** Completes “Reloading now would interrupt …”. */
  activity: 'an answer',

  page: {
    conversations: 'Conversations',
    noGpu: 'This model needs a GPU, and there is none here.',
    showDiagnosis: 'Why?',
    settingsProblem: '{{problem}} (see Settings)',
    unknownCharacters:
      '{{model}} can’t read {{characters}}. It knows only digits, small letters, spaces and the symbols {{symbols}}',
    unknownTask: '{{model}} solves only problems like {{example}}. It answers anything else with nonsense.',
    conversationsImported_one: 'Imported {{count}} conversation. It is in the list of conversations.',
    conversationsImported_other: 'Imported {{count}} conversations. They are in the list of conversations.',
    adapterAdded: 'The adapter {{adapter}} will be used with {{model}} from the next question on.',
    adapterNeedsBase:
      '{{adapter}} is a LoRA adapter for {{base}}. Get that model on the <models>Models</models> page, choose it here, and drop the adapter again.',
    adapterNeedsModel:
      '{{adapter}} is a LoRA adapter. Choose the downloaded model that it was trained on, and drop the adapter again.',
  },

  answer: {
    label: 'Answer from {{model}}',
    reading: 'Reading the prompt…',
    correct: '✓ Correct',
    wrong: '✗ Wrong. A correct answer is {{answer}}',
    unformatted: '✗ Not in the required format, so it doesn’t count. A correct answer is {{answer}}',
    failed: 'No answer: {{error}}',
    tokens_one: '{{count, number}} token',
    tokens_other: '{{count, number}} tokens',
    tokensStopped_one: '{{count, number}} token, stopped',
    tokensStopped_other: '{{count, number}} tokens, stopped',
    tokensCut_one: '{{count, number}} token, cut off at the limit',
    tokensCut_other: '{{count, number}} tokens, cut off at the limit',
    stoppedEarly: 'Stopped before the first token',
    full: 'The answer ends here because it has reached the greatest length that can be saved.',
    speed: '{{rate}} tokens/s',
    firstToken: 'first token after {{time}}',
    sampling: 'temperature {{temperature}}, seed {{seed}}',
    regenerate: 'Regenerate',
    continue: 'Continue',
  },

  chatBar: {
    label: 'Conversation',
    model: 'Model',
    modelNumber: 'Model {{number}}',
    compare: 'Compare two models',
    tokens: 'Show tokens and their probabilities',
    settings: 'Settings',
    shortcuts: 'Keyboard shortcuts',
    /** A button’s tooltip. */
    withKeys: '{{label}} ({{keys}})',
  },

  composer: {
    label: 'Prompt',
    placeholder: 'Ask anything',
    send: 'Send',
    stop: 'Stop',
    keys: 'Enter sends, Shift+Enter starts a new line.',
    stopKey: 'Esc stops the answer.',
    export: 'Export',
    /** Names of file formats, on buttons. */
    markdown: 'Markdown',
    json: 'JSON',
  },

  context: {
    text: 'context {{used, number}} of {{length, number}}',
    title: 'How many tokens of its context window the model has used',
    meter: 'Context used',
    tokens: '{{used, number}} of {{length, number}} tokens',
  },

  conversations: {
    new: 'New conversation',
    searchLabel: 'Search conversations',
    search: 'Search',
    none: 'Your conversations are saved here, in this browser only.',
    noMatch: 'No conversation contains all of these words.',
    name: 'Name of the conversation',
    rename: 'Rename {{title}}',
    delete: 'Delete {{title}}',
    import: 'Import',
    importLabel: 'Import conversations',
    imported_one: 'Imported {{count}} conversation.',
    imported_other: 'Imported {{count}} conversations.',
    exportAll: 'Export all',
    gone: 'This conversation no longer exists.',
    fileTooLarge: '{{name}} is too large for a file of conversations.',
    fileRejected: "{{name}} can't be imported. {{reason}}",
    exportName: 'tinythink conversations',
  },

  /** Headings in an exported Markdown file. */
  markdownFile: {
    system: 'System',
    user: 'You',
  },

  duration: {
    seconds: '{{seconds}} s',
    minutes: '{{minutes}} min {{seconds}} s',
  },

  examples: {
    label: 'Example problems',
    other: 'Other examples',
  },

  loadingForm: {
    weights: 'Weights',
    weightsHelp: 'Fewer bits use less memory and answer faster, at some loss of quality.',
    context: 'Context length',
    contextAuto: 'automatic',
    contextHelp: 'How many tokens of the conversation the model can see.',
    contextProblem: 'Enter a whole number of at least {{min}}.',
    cache: 'KV cache',
    cacheHelp: 'Precision of the attention keys and values. Fewer bits leave memory for a longer context.',
    automatic: 'Automatic',
    asStored: 'As stored',
    bits: '{{bits}} bits ({{format}})',
    adapter: 'LoRA adapter',
    adapterRemove: 'Remove',
    /** Read out after “Remove”. */
    adapterRemoveRest: 'the adapter',
    adapterChoose: 'Choose a folder',
    adapterFolder: 'Folder of a LoRA adapter',
    adapterMissing: "This folder doesn't contain adapter_config.json and adapter_model.safetensors.",
    adapterUsed: '<b>{{name}}</b> is added to the weights until you close the page.',
    adapterHelp: 'A LoRA adapter in a PEFT folder, which is added to the weights.',
    /** Where the adapter’s folder has no name. */
    adapterUnnamed: 'adapter',
    reload: 'After a change, the model is loaded again with the next question.',
  },

  models: {
    pretrained: '{{model}}, pretrained',
    checkpoint: '{{run}}, after step {{step}}',
    imported: '{{name}}, imported',
    unnamedFolder: 'Your folder',
    severalFiles: 'These are several .gguf files. Choose one of them.',
    notAModel:
      'This is not a model. Choose a .gguf file, or a folder with config.json, tokenizer.json and .safetensors files.',
    noWeights: 'The folder has no .safetensors file, so the weights are missing.',
  },

  opening: {
    opening: 'Opening {{model}}…',
    readingHeader: 'Reading the header of {{model}}…',
    loading: 'Loading {{model}}…',
    progress: '{{done}} of {{total}}',
    progressLabel: 'Opening {{model}}',
  },

  question: {
    label: 'Question {{number}}',
    editLabel: 'Edit the question',
    edit: 'Edit',
    send: 'Send',
  },

  announce: {
    answering: '{{model}} is answering.',
    failed: '{{model}} failed: {{error}}',
    stopped_one: 'Stopped after {{count}} token.',
    stopped_other: 'Stopped after {{count}} tokens.',
    answered_one: '{{model}} answered with {{count}} token.',
    answered_other: '{{model}} answered with {{count}} tokens.',
    cutOff_one: '{{model}} answered with {{count}} token and was cut off.',
    cutOff_other: '{{model}} answered with {{count}} tokens and was cut off.',
  },

  settings: {
    title: 'Settings',
    system: 'System prompt',
    systemNone: 'None',
    systemHelp: 'Instructions that the model gets before the conversation. They belong to this conversation.',
    systemR1: 'R1 models work best without a system prompt. Put instructions into the question.',
    systemTiny: 'Tiny models ignore them.',
    sampling: 'Sampling',
    samplingOf: 'Sampling of {{model}}',
    loading: 'Loading',
    loadingOf: '{{model}}: loading',
    loadingLabel: 'Loading of {{model}}',
    recommended: 'Recommended: {{value}}.',
    reset: 'Reset to recommended',
    notANumber: '{{field}} needs a number.',
    notWhole: '{{field}} must be a whole number.',
    outOfRange: '{{field}} must be between {{min}} and {{max}}.',
    /** Names and one-line explanations of the sampling settings. */
    fields: {
      temperature: 'Temperature',
      temperatureHelp: '0 always takes the most likely token. 1 samples from the model as it was trained.',
      top_p: 'Top-p',
      top_pHelp: 'Samples only from the most likely tokens that together have this probability. 1 is off.',
      top_k: 'Top-k',
      top_kHelp: 'Samples only from this many most likely tokens. 0 is off.',
      min_p: 'Min-p',
      min_pHelp: 'Leaves out tokens below this share of the most likely token’s probability. 0 is off.',
      repetition_penalty: 'Repetition penalty',
      repetition_penaltyHelp: 'Above 1, tokens that already occurred become less likely. 1 is off.',
      max_tokens: 'Max tokens',
      max_tokensHelp: 'Cuts the answer off after this many tokens, thinking included. You can continue it.',
      seed: 'Seed',
      seedHelp: 'The same seed and prompt give the same answer.',
    },
  },

  shortcuts: {
    title: 'Keyboard shortcuts',
    send: 'Send the prompt',
    newLine: 'Start a new line',
    stop: 'Stop the answer',
    editLast: 'Edit the last question, if the prompt is empty',
    search: 'Search conversations',
    new: 'Start a new conversation',
    tokens: 'Show or hide tokens',
    settings: 'Open the settings',
    prompt: 'Go to the prompt',
    help: 'Show these shortcuts',
  },

  thought: {
    none: 'Answered without thinking',
    region: 'Thoughts',
    thinking: 'Thinking…',
    thinkingTokens_one: 'Thinking… {{count, number}} token',
    thinkingTokens_other: 'Thinking… {{count, number}} tokens',
    thought: 'Thought',
    thoughtFor_one: 'Thought for {{time}}, {{count, number}} token',
    thoughtFor_other: 'Thought for {{time}}, {{count, number}} tokens',
    unfinished: 'Thought without finishing',
    unfinishedFor_one: 'Thought for {{time}}, {{count, number}} token, without finishing',
    unfinishedFor_other: 'Thought for {{time}}, {{count, number}} tokens, without finishing',
  },

  tokenView: {
    label: 'Tokens; move through them with the left and right arrow keys',
    lastTokens: 'The last {{shown, number}} of {{all, number}} tokens',
    shading: 'The stronger its shading, the less likely a token was.',
    noAlternatives: 'Alternatives are recorded while this view is on, if the model reports them.',
    unknown: 'unknown',
    empty: '(empty)',
    /** Read out: a token with its probability, then the alternatives. */
    withAlternatives: '{{token}}. Alternatives: {{others}}',
  },

  versions: {
    question: 'Versions of the question',
    answer: 'Versions of the answer',
    previous: 'Previous version',
    next: 'Next version',
    /** Such as 2/3. */
    position: '{{index}}/{{count}}',
  },

  welcome: {
    title: 'Chat',
    tiny: 'This model knows a few kinds of small problems and nothing else. Before training it mostly guesses. Choose one of your own runs above to see what has changed.',
    other: 'Ask {{models}} anything. Conversations are saved in this browser only.',
    sources:
      'Other models: <models>download one</models>, <servers>connect a server</servers>, <file>open a .gguf file</file> or <folder>a folder</folder>, or drop it here.',
    openFile: 'Open a .gguf file',
    openFolder: 'Open the folder of a model',
  },
} as const;
