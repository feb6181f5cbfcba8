/**
 * @file English: a run's settings, what is wrong with them, presets, and run names. `short` names stand in a run's
 * automatic name, such as "Chain sums · lr 0.001". `help` is one sentence.
 */
export const config = {
  groups: {
    problem: 'Problem',
    adapter: 'Adapter (LoRA)',
    sampling: 'Sampling',
    reward: 'Reward',
    loss: 'Loss',
    optimizer: 'Optimizer',
    run: 'Run',
  },
  fields: {
    model: { label: 'Model', short: 'model', help: 'The model that training starts from.' },
    task: { label: 'Task', short: 'task', help: 'The kind of problem to solve.' },
    difficulty: { label: 'Difficulty', short: 'difficulty', help: 'How hard the problems are.' },
    cold_start_steps: {
      label: 'Cold start',
      short: 'cold start',
      help: 'Supervised updates on worked answers before the first step; 0 trains the model as it is.',
    },
    cold_start_p_cot: {
      label: 'Share of full reasoning',
      short: 'p_cot',
      help: 'How many of the cold start’s examples write out every step before they answer.',
    },
    cold_start_dataset: {
      label: 'Cold start data',
      short: 'data',
      help: 'What the cold start learns from: worked examples of the task, or a data set from the Distil page.',
    },
    lora_r: {
      label: 'Rank',
      short: 'rank',
      help: 'The size of the adapter; a higher rank can learn more and needs more memory.',
    },
    lora_alpha: {
      label: 'Alpha',
      short: 'alpha',
      help: 'The adapter’s output is scaled by alpha / rank; twice the rank is usual.',
    },
    lora_target_modules: {
      label: 'Target modules',
      short: 'adapts',
      help: 'Which of the model’s layers get an adapter.',
      options: {
        allLinear: 'All linear layers',
        attention: 'Attention',
        queriesAndValues: 'Queries and values',
      },
    },
    quant: {
      label: 'Model precision',
      short: 'weights',
      help: 'How the frozen model is held in memory; fewer bits need less memory.',
      options: { stored: 'As stored', f16: '16 bits (f16)', q8_0: '8 bits (q8_0)', q4_0: '4 bits (q4_0)' },
    },
    num_prompts: {
      label: 'Prompts per step',
      short: 'prompts',
      help: 'Different problems in each step; more give a steadier gradient and a slower step.',
    },
    num_generations: {
      label: 'Group size',
      short: 'group',
      help: 'Completions per problem; each is compared with the mean of its group.',
    },
    max_completion_length: {
      label: 'Max tokens',
      short: 'max tokens',
      help: 'A completion that reaches this many tokens is cut off.',
    },
    temperature: {
      label: 'Temperature',
      short: 'temperature',
      help: 'Higher is more varied, lower more predictable; a group without variety teaches nothing.',
    },
    top_k: { label: 'Top-k', short: 'top-k', help: 'Sample from the k most likely tokens only; 0 is off.' },
    top_p: {
      label: 'Top-p',
      short: 'top-p',
      help: 'Sample from the most likely tokens that together reach this probability; 1 is off.',
    },
    scale_rewards: {
      label: 'Scale advantages',
      short: 'scale',
      help: 'What the distance from the group mean is divided by.',
      options: {
        group: 'The group’s standard deviation',
        batch: 'The batch’s standard deviation',
        none: 'Nothing',
      },
    },
    mask_truncated_completions: {
      label: 'Ignore truncated completions',
      short: 'mask truncated',
      help: 'Completions that were cut off count towards the group mean but not towards the loss.',
    },
    loss_type: {
      label: 'Loss',
      short: 'loss',
      help: 'How per-token losses are clipped and averaged, which decides how much length counts.',
    },
    importance_sampling_level: {
      label: 'Ratio',
      short: 'ratio',
      help: 'Compare the new and the old model token by token, or over the whole completion (GSPO).',
      options: { token: 'Per token', sequence: 'Per sequence (GSPO)' },
    },
    num_iterations: {
      label: 'Updates per batch',
      short: 'iterations',
      help: 'Above 1, the same samples are used again, and clipping starts to matter.',
    },
    epsilon: {
      label: 'Clip low, ε',
      short: 'ε',
      help: 'How far below 1 the ratio may fall before its gradient is cut off.',
    },
    epsilon_high: {
      label: 'Clip high, ε',
      short: 'ε high',
      help: 'How far above 1 the ratio may rise; for CISPO, the cap on the ratio itself, where 5 is usual.',
    },
    delta: {
      label: 'Two-sided clip, δ',
      short: 'delta',
      help: 'Also caps the ratio of tokens with a negative advantage, above 1 + ε; empty is off.',
    },
    beta: {
      label: 'KL weight, β',
      short: 'β',
      help: 'Pulls the model back towards the one it started from; 0 needs no reference model.',
    },
    use_bias_correction_kl: {
      label: 'Unbiased KL',
      short: 'unbiased KL',
      help: 'Multiplies the KL estimate by the ratio, so that its gradient is unbiased.',
    },
    sapo_temperature_pos: {
      label: 'SAPO τ, positive',
      short: 'τ+',
      help: 'How sharply SAPO gates tokens with a positive advantage.',
    },
    sapo_temperature_neg: {
      label: 'SAPO τ, negative',
      short: 'τ−',
      help: 'How sharply SAPO gates tokens with a negative advantage.',
    },
    learning_rate: {
      label: 'Learning rate',
      short: 'lr',
      help: 'How far each update moves the weights; too high, and the model collapses.',
    },
    warmup_steps: {
      label: 'Warm-up',
      short: 'warm-up',
      help: 'Steps over which the learning rate rises from 0.',
    },
    lr_scheduler_type: {
      label: 'Schedule',
      short: 'schedule',
      help: 'What the learning rate does after the warm-up.',
      options: { constant: 'Constant', linear: 'Linear to 0', cosine: 'Cosine to 0' },
    },
    weight_decay: {
      label: 'Weight decay',
      short: 'decay',
      help: 'Shrinks the weights a little at each update.',
    },
    max_grad_norm: {
      label: 'Gradient clipping',
      short: 'clip',
      help: 'A gradient with a larger norm is scaled down to it; 0 is off.',
    },
    adam_beta1: {
      label: 'Adam β₁',
      short: 'β₁',
      help: 'How slowly the running mean of the gradient changes.',
    },
    adam_beta2: {
      label: 'Adam β₂',
      short: 'β₂',
      help: 'How slowly the running mean of the squared gradient changes.',
    },
    adam_epsilon: {
      label: 'Adam ε',
      short: 'adam ε',
      help: 'Keeps the update finite where gradients vanish.',
    },
    max_steps: {
      label: 'Steps',
      short: 'steps',
      help: 'The run ends after this many steps; 0 runs the cold start only.',
    },
    seed: { label: 'Seed', short: 'seed', help: 'The same seed on the same machine gives the same run.' },
    eval_steps: {
      label: 'Evaluate every',
      short: 'eval',
      help: 'Steps between evaluations on held-out problems; 0 is never.',
    },
    eval_problems: {
      label: 'Held-out problems',
      short: 'eval problems',
      help: 'Problems per evaluation; more give a steadier curve.',
    },
    save_steps: {
      label: 'Save every',
      short: 'save',
      help: 'Steps between checkpoints; 0 saves only at the end.',
    },
    log_probability_change: {
      label: 'Show what changed',
      short: 'show change',
      help: 'Scores each completion again after the update, to colour its tokens; takes a little time.',
    },
  },
  rewards: {
    accuracy: { label: 'Accuracy', short: 'accuracy reward', help: 'Rewards a right answer in the required format.' },
    format: {
      label: 'Format',
      short: 'format reward',
      help: 'Rewards exactly one think block and one answer block, right or wrong.',
    },
    length: {
      label: 'Length',
      short: 'length reward',
      help: 'Rewards short right answers and long wrong ones; a negative weight reverses it.',
    },
  },
  losses: {
    grpo: 'GRPO: mean per completion, then over completions',
    bnpo: 'BNPO: mean over the tokens of a micro-batch',
    dr_grpo: 'Dr. GRPO: sum over a constant, no length bias',
    dapo: 'DAPO: mean over the tokens of the batch',
    cispo: 'CISPO: the clipped ratio as a constant weight',
    sapo: 'SAPO: a soft gate in place of clipping',
  },
  problems: {
    notAConfig: 'This isn’t the configuration of a run.',
    difficultyRange: '{{task}} has difficulties from {{min}} to {{max}}, not {{value}}.',
    exceedsContext:
      'Max tokens is {{value}}, but the model reads at most {{contextLength}} tokens, including the prompt. Set it well below {{contextLength}}.',
    noReward:
      'Every reward has weight 0, so there is nothing to learn. Give at least one a weight, such as accuracy 1.',
    unknownReward: 'There is no reward {{value}}. The rewards are: {{rewards}}.',
    rewardLists: 'reward_funcs and reward_weights must be lists of the same length, with each reward once.',
    noSteps: 'Steps is 0, so only the cold start would run, but that is 0 too.',
    needsLanguage:
      '{{task}} are for models that understand language, and this model knows only the characters of the toy tasks. Choose another task, or a downloaded model.',
    coldStartNeedsData:
      'A cold start for an adapter needs a data set: the worked examples are in the small models’ notation.',
    dataNeedsColdStart:
      'There is cold start data but no cold start. Set the cold start to about 100 updates, or remove the data.',
    deltaTooSmall: 'The two-sided clip must be off or above 1 + clip high, that is, above {{least}}.',
    choice: '{{label}} must be one of {{options}}, not {{value}}.',
    onOrOff: '{{label}} must be on or off, not {{value}}.',
    groupTooSmall:
      'Group size is {{value}}, but an advantage compares a completion with others of its group: set it to 2 or more.',
    wholeNumberAbove: '{{label}} must be a whole number above {{min}} and at most {{max}}, not {{value}}.',
    wholeNumberFrom: '{{label}} must be a whole number from {{min}} to {{max}}, not {{value}}.',
    numberAbove: '{{label}} must be a number above {{min}} and at most {{max}}, not {{value}}.',
    numberFrom: '{{label}} must be a number from {{min}} to {{max}}, not {{value}}.',
    modules: 'Target modules: {{reason}}.',
    unknownTask: 'There is no task {{value}}. The tasks are: {{tasks}}.',
    modelName: '{{value}} isn’t the name of a model. Choose one from the list, such as {{example}}.',
    datasetName: '{{value}} isn’t the name of a data set. The Distil page lists the data sets on this device.',
    unknownParameter: '{{param}} isn’t a setting of a run and was ignored.',
    defaultKept: '{{problem}} The default was kept.',
  },
  runName: {
    without: 'no {{name}}',
    more: '+{{count, number}} more',
  },
  // A title, and exactly two sentences on what to watch in the run.
  presets: {
    'sums-grow': {
      title: 'Sums: reasoning grows',
      watch:
        'Watch accuracy and completion length rise together as the model replaces guesses with written steps. Nothing rewards length here: it grows because completions with every step written out are right more often than the rest of their group.',
    },
    multiplication: {
      title: 'Multiplication: steps pay off',
      watch:
        'The model starts at 0.80 only because a fifth of its completions lack the format: accuracy reaches 0.98 as it adopts it. Length still grows from 16 to 40 tokens: answers given at once get worse in the first updates, while written steps stay right.',
    },
    'countdown-shrinks': {
      title: 'Countdown: reasoning doesn’t pay',
      watch:
        'Guessing at once is as good as searching here: three measured runs went from 18 tokens to 12, 12 and 14 (12, 17 and 15 before a change of rounding). Accuracy rises from 0.66 to 0.8, but only because the model learns the format: 0.85 of the formatted answers were right at the start and 0.8 at the end.',
    },
    collapse: {
      title: 'Collapse: learning rate 1e-3',
      watch:
        'At three times the usual learning rate and without decay, it learns faster for a dozen steps, then accuracy falls below 0.01 within 80 steps. The gradient norm gives no warning; watch the share of groups with equal rewards go to 1, where there is nothing left to learn from.',
    },
    parity: {
      title: 'Parity: reason or flip a coin',
      watch:
        'Without a chain of running parities an answer is a coin flip; with one it is right, so a group shows clearly what earns its reward. Watch chains go from a sixth of the completions to nearly all of them in 20 steps, and set the cold start’s share of full reasoning to begin elsewhere.',
    },
    'dr-grpo': {
      title: 'Dr. GRPO: no length bias',
      watch:
        'The sum over a constant replaces the mean over each completion’s own length, so a long wrong answer is penalised for every token. Compare the length of its wrong completions with those of a run that uses the GRPO loss.',
    },
    gspo: {
      title: 'GSPO: ratios of whole completions',
      watch:
        'Each batch is used for two updates, so in the second one the model has moved and the clip ratio leaves 0. One ratio stands for a whole completion, and a very small ε clips a good part of them.',
    },
    kl: {
      title: 'KL: on a leash',
      watch:
        'A frozen copy of the starting model pulls back whatever drifts away from it, as in the paper that introduced GRPO. Watch the KL level off while accuracy rises more slowly than without the leash.',
    },
    small: {
      title: 'Small batch: any machine',
      watch:
        'Four short problems per step are few enough for a CPU, and the price is noise in every curve. Groups with equal rewards are common at this size, and such a step hardly moves the model.',
    },
  },
} as const;
