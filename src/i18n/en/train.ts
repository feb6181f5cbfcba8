/** @file English: the Train page and its charts, sorted by component. */
export const train = {
  /** Explains what was computed for one completion. */
  advantage: {
    equation: 'Advantage: {{equation}}',
    /** Read out instead of the equation that is shown. */
    spoken: '{{reward}} minus {{mean}} equals {{advantage}}',
    spokenScaled: '{{reward}} minus {{mean}}, divided by {{std}} plus {{epsilon}}, equals {{advantage}}',
    /** Below and above the numbers of the equation; as short as possible. */
    terms: { reward: 'reward', mean: 'group mean', groupStd: 'group std', batchStd: 'batch std', epsilon: 'ε' },
    same: 'All {{count, number}} earned the same reward, so the advantage is 0: this prompt teaches the model nothing in this step.',
    /** `terms` is a sum such as “1 × accuracy 1 + 0.2 × format 1”. */
    reward: 'Reward {{reward}} = {{terms}}.',
    noReward: 'No reward has a weight, so the reward is {{reward}}.',
    above:
      'That is {{difference}} above the mean of its group, so the update makes these tokens <positive>more likely</positive>.',
    below:
      'That is {{difference}} below the mean of its group, so the update makes these tokens <negative>less likely</negative>.',
    equal: 'That is the mean of its group, so the update leaves these tokens alone.',
  },

  banner: {
    onServer: 'On {{server}}',
    recording: 'A recorded run, so nothing is computed here',
    saved: 'A saved run',
    linkProblems: 'Some settings of this link were not used:',
    noSuchPreset: 'There is no preset “{{name}}”. The default settings were used.',
  },

  beforeAfter: {
    title: 'Ask the model before and after training',
    prompt: 'Prompt',
    temperature: 'Temperature',
    seed: 'Seed',
    ask: 'Ask both',
    stop: 'Stop',
    hint: 'Both models get the same prompt and the same seed, so any difference comes from the training.',
    pauseFirst: 'Pause the run to ask.',
    loading: 'The model is still loading.',
    noModel: 'There is no model on this page to ask.',
    unknownCharacters:
      'This model can’t read {{characters}}. It knows only digits, small letters, spaces and the symbols {{symbols}}',
    before: 'Before training',
    now: 'Now',
    after_one: 'After {{count, number}} step',
    after_other: 'After {{count, number}} steps',
    asked: 'Answers to <prompt>{{prompt}}</prompt>',
    notAsked: 'Not asked yet.',
    writing: 'Thinking…',
    empty: 'The answer is empty.',
    tokens_one: '{{count, number}} token',
    tokens_other: '{{count, number}} tokens',
    right: '✓ Correct',
    wrong: '✗ Incorrect: the correct answer is {{answer}}',
    /** The model left out the required tags around its reasoning or its answer. */
    unformatted: '✗ Not in the required format: the correct answer is {{answer}}',
  },

  changes: {
    /** `changes` is a list such as “Learning rate 0.001, Format weight 0.5”. */
    changed: 'Changed: {{changes}}',
    setting: '{{label}} {{value}}',
    weight: '{{label}} weight',
    checkpoint: 'Checkpoint saved',
    interrupted: 'Interrupted at step {{step, number}} ({{reason}}), continued from step {{from, number}}',
    continued: 'Continued from step {{from, number}}',
  },

  charts: {
    label: 'Charts',
    step: 'step',
    stepAt: 'step {{step, number}}',
    /** Accessible name and value of a chart, which is a slider over the steps. */
    slider: '{{title}}, step',
    sliderValue: 'step {{step, number}}: {{values}}',
    stepZero: 'step 0',
    mark: 'Step {{step, number}}: {{text}}',
    showTable: 'Show as a table',
    showTableOf: 'Show {{title}} as a table',
    /** Tooltip of a chart's title: the name of the metric in TRL. */
    metric: 'Metric: {{metric}}',
    table: {
      thinned: 'Showing {{shown, number}} of {{total, number}} rows, evenly spaced. The file has all of them.',
      empty: 'No values yet. They appear with the first step.',
      download: 'Download as CSV',
    },
    reward: 'Reward',
    rewardSeries: 'reward',
    accuracySeries: 'held-out accuracy',
    otherReward: 'reward, other run',
    otherAccuracy: 'accuracy, other run',
    length: 'Answer length',
    correct: 'correct',
    incorrect: 'incorrect',
    truncated: 'cut off',
    otherMean: 'mean, other run',
    lengthMeaning: 'Mean length in tokens.',
    lengths: 'All lengths',
    lengthsMeaning: 'Each column is a step. The darker a cell, the more answers have that length in tokens.',
    median: 'median',
    styles: 'How the model answers',
    stylesMeaning: 'Share of the answers that think in full, a little or not at all.',
    /** Kinds of answers, from the most thinking to the least. */
    styleNames: {
      check: 'checked',
      full: 'full steps',
      partial: 'some steps',
      direct: 'no steps',
      unformatted: 'wrong format',
    },
    more: 'More charts: entropy, KL, clipping, gradient',
    otherRun: 'other run',
    entropy: {
      title: 'Entropy',
      meaning: 'How unsure the model is about each token. At 0 it always answers the same way.',
    },
    kl: { title: 'KL from the start', meaning: 'How far the model has moved from the one it started as.' },
    clipped: {
      title: 'Clipped tokens',
      meaning: 'Share of tokens whose update was cut off. 0 with one update per batch.',
    },
    zeroVariance: {
      title: 'Equal rewards',
      meaning: 'Share of prompts whose answers all earned the same: nothing to learn from.',
    },
    gradient: { title: 'Gradient norm', meaning: 'Size of the update before clipping. Spikes mean unstable training.' },
    learningRate: { title: 'Learning rate', meaning: 'Step size of the optimizer, after warm-up and schedule.' },
    history: 'What happened',
    historyEmpty: 'Checkpoints, changed settings and interruptions appear here.',
  },

  compare: {
    open: 'Compare with another run',
    label: 'Compare with',
    none: 'no other run',
    savedRuns: 'Saved runs',
    recordings: 'Recordings',
    loading: 'Loading the run…',
    same: 'Dotted lines: a run with the same settings.',
    /** `differences` is a list of `difference`. */
    differs: 'Dotted lines: {{differences}}.',
    differsMore_one: 'Dotted lines: {{differences}}, and {{count, number}} more difference.',
    differsMore_other: 'Dotted lines: {{differences}}, and {{count, number}} more differences.',
    difference: '{{label}} {{value}} instead of {{own}}',
    madeOn: 'made on {{device}}',
  },

  completion: {
    outcome: { correct: 'Correct', incorrect: 'Incorrect', truncated: 'Cut off at the token limit' },
    reward: 'reward',
    cutOff: 'cut off at {{count, number}} tokens',
  },

  emptyGroup: {
    title: 'How it learns',
    coldStart_one:
      '<b>Cold start.</b> First came {{count, number}} supervised update on worked examples. With it the model went from solving <b>{{before}}</b> of the held-out problems to <b>{{after}}</b>.',
    coldStart_other:
      '<b>Cold start.</b> First came {{count, number}} supervised updates on worked examples. With them the model went from solving <b>{{before}}</b> of the held-out problems to <b>{{after}}</b>.',
    coldStartDataset_one:
      '<b>Cold start.</b> First came {{count, number}} supervised update on the answers in “{{dataset}}”. With it the model went from solving <b>{{before}}</b> of the held-out problems to <b>{{after}}</b>.',
    coldStartDataset_other:
      '<b>Cold start.</b> First came {{count, number}} supervised updates on the answers in “{{dataset}}”. With them the model went from solving <b>{{before}}</b> of the held-out problems to <b>{{after}}</b>.',
    /** Before it is known how many. */
    askSome: '<b>Ask.</b> Each step gives the model a few problems and lets it answer each of them several times.',
    ask_one:
      '<b>Ask.</b> Each step gives the model {{count, number}} problem and lets it answer {{answers, number}} times.',
    ask_other:
      '<b>Ask.</b> Each step gives the model {{count, number}} problems and lets it answer each of them {{answers, number}} times.',
    score:
      '<b>Score.</b> A program checks every answer and gives it a reward. Nobody shows the model how to solve anything.',
    scoreBefore:
      '<b>Score.</b> A program checks every answer and gives it a reward. Nobody shows the model how to solve anything. Before training, it solves {{before}} of the held-out problems.',
    compare:
      '<b>Compare.</b> Answers that are better than the average of their group get a <positive>positive advantage</positive>, worse ones a <negative>negative advantage</negative>.',
    update:
      '<b>Update.</b> The tokens of the better answers become more likely and those of the worse ones less likely. That is all of GRPO.',
    hint: {
      train: 'Press Train, or take one step at a time. The first group appears here.',
      play: 'Press Play, or go through the recording one step at a time. The first group appears here.',
      loading: 'The model is loading. When it is ready, press Train.',
      running: 'The first group appears here after the first step.',
      coldStartOnly: 'This run only has a cold start. Press Train to finish it and keep the model.',
      unavailable: 'This browser has no GPU to train with. You can still watch a recorded run.',
    },
  },

  group: {
    label: 'One group of answers',
    answer: 'Answer: {{answer}}',
    summary: '{{count, number}} answers to one prompt · mean reward {{mean}} · standard deviation {{std}}',
    ends: 'Showing the {{half, number}} best and the {{half, number}} worst of {{count, number}} answers.',
    list: 'Answers by advantage. Up and Down choose one, Left and Right move through its tokens.',
    columns: {
      advantage: 'advantage',
      completion: 'answer',
      lessLikely: 'less likely',
      moreLikely: 'more likely after the update',
      thinking: 'thinking',
      weight: '× {{weight}}',
      reward: 'reward',
      sum: 'sum',
    },
  },

  notices: {
    lost: 'The connection to this run is gone. The run may still be going on.',
    watchAgain: 'Reconnect',
    servers: 'Show servers',
    savedFrom: 'This run was made on {{server}}. There may be more steps there by now.',
    openOnServer: 'Open the run there',
    recordings: 'Without a GPU you can watch these recorded runs:',
    software:
      'This browser runs WebGPU on the CPU, so each step takes seconds. The preset “Small batch” is the fastest.',
    dismiss: 'Dismiss',
    interrupted:
      '“{{name}}” stopped after step {{last, number}}. <resume>Resume from step {{checkpoint, number}}</resume> or <view>view the run</view>.',
    runElsewhere:
      'Another tab is training this run. What is saved of it is shown here. If you take it over, the other tab stops, and the run goes on here from its last checkpoint.',
    takeOver: 'Take over',
    takenOver: 'Another tab has taken over this run. What this tab had trained is saved.',
    nothingToResume: 'This run has no checkpoint to resume from.',
    /** The last checkpoint is some steps older than the interruption. */
    interruptedLater_one:
      '“{{name}}” stopped after step {{last, number}}. Its last checkpoint is of step {{checkpoint, number}}, so {{count, number}} step has to be computed again. <resume>Resume from step {{checkpoint, number}}</resume> or <view>view the run</view>. “Save every” in its settings says how often checkpoints are saved.',
    interruptedLater_other:
      '“{{name}}” stopped after step {{last, number}}. Its last checkpoint is of step {{checkpoint, number}}, so {{count, number}} steps have to be computed again. <resume>Resume from step {{checkpoint, number}}</resume> or <view>view the run</view>. “Save every” in its settings says how often checkpoints are saved.',
    interruptedUnsaved:
      '“{{name}}” stopped after step {{last, number}}, before its first checkpoint, so it can’t be resumed. You can still <view>view the run</view>. “Save every” in its settings says how often checkpoints are saved.',
    /** What a reload would interrupt. */
    activity: 'the training run',
  },

  preparing: {
    model: 'Loading and testing the model…',
    weights: 'Loading weights, {{loaded, number}} of {{total, number}} MB',
    testing: 'Testing the model…',
    coldStart: 'Cold start, update {{update, number}} of {{total, number}}',
  },

  prompts: {
    label: 'Prompt',
    prompt: '{{prompt}} {{correct, number}} of {{count, number}} correct, mean reward {{mean}}',
    flat: '{{prompt}} {{correct, number}} of {{count, number}} correct, mean reward {{mean}}. All rewards are equal, so there is nothing to learn.',
  },

  recordings: {
    badName: 'That is not the name of a recording.',
    missing: 'There is no recording “{{name}}” here.',
    noStart: 'This recording does not begin with the start of a run.',
  },

  remote: {
    unknownServer: 'The run is on {{server}}, which is not one of your servers. Add it on the Connect page first.',
    permissionTitle: 'This run is on a server in your local network',
    permission: 'Your browser will ask whether this page may access devices in the local network.',
    keyTitle: 'The server asks for a key',
    failedTitle: 'This run cannot be watched',
    key: 'Key of {{url}}',
    keepKey: 'Keep it on this device',
    keyHint: 'Unless you keep it, the key is forgotten when the page is reloaded. It is only sent to this server.',
    watch: 'Watch the run',
    servers: 'Show servers',
  },

  rewardStrip: {
    label: 'Rewards of the group: mean {{mean}}, standard deviation {{std}}',
    mean: 'mean {{mean}} ± std {{std}}',
  },

  run: {
    finished_one: 'Finished after {{count, number}} step',
    finished_other: 'Finished after {{count, number}} steps',
    stopped: 'Stopped after step {{step, number}}',
    failed: 'Failed at step {{step, number}}: {{reason}}',
    notSaved: 'This run is not saved on this device.',
    noExport: 'There is no run to export a model from.',
  },

  runBar: {
    noRun: 'Train a model',
    difficulty: 'difficulty {{level, number}}',
    batch_one: '{{count, number}} prompt × {{answers, number}} answers',
    batch_other: '{{count, number}} prompts × {{answers, number}} answers',
    learningRate: 'learning rate {{rate}}',
    seed: 'seed {{seed}}',
    status: {
      unavailable: 'No GPU',
      starting: 'Checking the GPU…',
      failed: 'Not started',
      startingOn: 'Starting on {{server}}…',
      ready: 'Ready',
      paused: 'Paused',
      training: 'Training',
      playing: 'Playing a recording',
      working: 'Finishing a step…',
      ended: 'Ended',
      reconnecting: 'Connection lost, trying again…',
      lost: 'No longer connected',
    },
    step: 'step <b>{{step, number}}</b> of {{total, number}}',
    stepTime: '{{seconds}} s per step',
    progress: 'Progress of the run',
    pause: 'Pause',
    play: 'Play',
    train: 'Train',
    resume: 'Resume',
    oneStep: 'One step',
    trainMore: 'Train {{count, number}} more steps',
    restart: 'Restart from step 0',
    trainAgain: 'Train again',
    playAgain: 'Play again',
    trainAgainOn: 'Train again on {{server}}',
    stop: 'Stop the run for good',
    adjust: 'Adjust',
    setUp: 'Set up',
    stopDialog: {
      title: 'Stop the run?',
      text: 'This ends the run on {{server}} and saves a checkpoint of step {{step, number}}. It cannot be resumed. If you only want to leave, close this page: the run continues without it.',
      keepGoing: 'Keep training',
      stop: 'Stop the run',
    },
  },

  settings: {
    title: 'Set up a run',
    preset: 'Preset',
    ownSettings: 'Custom settings',
    ownSettingsHint: "These settings don't match a preset. Pick one to start from.",
    adapterHint:
      'The model itself stays unchanged. Training adds low-rank adapters (LoRA) beside its layers. Watch how often it answers in the required format, and how often it is correct.',
    task: 'Task',
    difficulty: 'Difficulty',
    model: 'Model',
    memory: 'This run needs about {{size}} of GPU memory.',
    hubModels: 'One of the models on the server, or <names>{{names}}</names> from the Hugging Face Hub.',
    refused: '{{server}} does not accept this: {{message}}',
    copyLink: 'Copy link',
    copied: 'Copied',
    start: 'Use these settings',
    startOn: 'Start on {{server}}',
    starting: 'Starting…',
    changed_one: '{{count, number}} changed',
    changed_other: '{{count, number}} changed',
    count_one: '{{count, number}} setting',
    count_other: '{{count, number}} settings',
    default: 'Reset to {{value}}',
    /** Read out after `default`. */
    defaultOf: 'for {{label}}',
    value: { on: 'on', off: 'off', none: 'none' },
    problem: '⚠ {{message}}',
    upload: 'Upload a data set',
    uploading: 'Uploading {{file}}…',
    uploadHint:
      'A JSON Lines file. Each line needs “answer” and one of “prompt”, “problem” and “question”. The server keeps the file.',
    heldOut: 'Up to a tenth of its problems are held out for evaluation.',
    tasks: 'Tasks',
    datasets: 'Data sets on the server',
    dataset: 'Data set {{id}}',
    datasetRows_one: '{{name}}, {{count, number}} problem',
    datasetRows_other: '{{name}}, {{count, number}} problems',
  },

  stepSlider: {
    previous: 'Previous step',
    next: 'Next step',
    shown: 'Step shown',
    /** `last` is the latest step of the run. */
    step: 'step <b>{{step, number}}</b> of {{last, number}}',
    following: 'Following',
    followingHint: 'Showing each new step. Click to stay at this one.',
    latest: 'Latest',
    latestHint: 'Go to the latest step and follow the run.',
  },

  tokenTip: {
    noLogprob: 'No log-probability was recorded.',
    before: 'before',
    after: 'after',
    probability: 'probability',
    logprob: 'log-probability',
    notScored: 'This run did not score its tokens again after the update.',
    change: 'change <b>{{change}}</b>',
    /** The token moved against the sign of its completion's advantage. */
    pushedBack: 'Other answers that contain this token pushed it the other way.',
  },
} as const;
