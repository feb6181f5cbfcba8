/** @file A run's config: the defaults, what can't run and why, and its form in a URL. */
import { parseModelId } from './model-id';
import { defaultGrpoConfig } from '../rl/config';
import type { RunConfig } from '../rl/config';
import { allTasks, getTask, tasks } from '../tasks';
import type { Task } from '../tasks/task';
import { targetModules } from '../rl/lora-config';
import { isDataset } from '../tasks/dataset';
import { describeField, fieldKeys, getField, isFieldKey, learnsByAdapters, withField } from './fields';
import type { Field, FieldKey, FieldValue, NumberField } from './fields';

export const defaultRunConfig: RunConfig = {
  ...defaultGrpoConfig,
  model: 'tinythink-1m',
  task: 'sum',
  difficulty: getTask('sum').difficulty.default,
  cold_start_steps: 0,
  cold_start_p_cot: 0.2,
  cold_start_dataset: null,
  lora_r: null,
  lora_alpha: 32,
  lora_target_modules: 'all-linear',
  quant: 'stored',
  eval_steps: 10,
  eval_problems: 128,
  save_steps: 40,
  log_probability_change: true,
};

/** Where these differ for adapters of a downloaded model: a batch that a laptop can do. */
const adapterDefaults = {
  task: 'word-problems',
  difficulty: getTask('word-problems').difficulty.default,
  lora_r: 16,
  num_prompts: 2,
  num_generations: 8,
  max_completion_length: 128,
  learning_rate: 1e-4,
  eval_steps: 20,
  eval_problems: 32,
} satisfies Partial<RunConfig>;

export interface ConfigProblem {
  /** The field to mark; `*` when no single one is to blame. */
  field: FieldKey | '*';
  /** What is wrong and what to do, for the user. */
  message: string;
}

export interface ConfigLimits {
  /** max_position_embeddings of the model, where it is known. */
  context?: number;
}

/** Everything that keeps a config from running, one message a problem; empty when it can run. Takes anything. */
export function checkConfig(config: RunConfig, limits: ConfigLimits = {}): ConfigProblem[] {
  if (typeof config?.reward_weights !== 'object' || config.reward_weights === null) {
    return [{ field: '*', message: 'This is not the configuration of a run.' }];
  }
  const problems: ConfigProblem[] = [];
  for (const field of fieldKeys) {
    const message = checkValue(field, getField(config, field));
    if (message) problems.push({ field, message });
  }
  // Rules between fields only make sense for fields that are each right.
  return problems.length > 0 ? problems : checkTogether(config, limits);
}

function checkTogether(config: RunConfig, { context }: ConfigLimits): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const { min, max } = getTask(config.task).difficulty;
  if (config.difficulty < min || config.difficulty > max) {
    const message = `Difficulty of ${getTask(config.task).title} goes from ${min} to ${max}, not ${config.difficulty}.`;
    problems.push({ field: 'difficulty', message });
  }
  if (context !== undefined && config.max_completion_length >= context) {
    const message =
      `Longest completion is ${config.max_completion_length}, but the model reads at most ${context} tokens, ` +
      `the prompt included. Set it well below ${context}.`;
    problems.push({ field: 'max_completion_length', message });
  }
  if (Object.values(config.reward_weights).every((weight) => weight === 0)) {
    const message =
      'Every reward has weight 0, so there is nothing to learn. Give at least one a weight, such as accuracy 1.';
    problems.push({ field: 'reward_weights.accuracy', message });
  }
  if (config.max_steps === 0 && config.cold_start_steps === 0) {
    const message = 'Steps is 0, which leaves only the cold start to learn from, and that is 0 too.';
    problems.push({ field: 'max_steps', message });
  }
  if (learnsByAdapters(config.model) && config.lora_r === null) {
    const message = 'Of a downloaded model only adapters can be trained here: set their rank, to 16 for example.';
    problems.push({ field: 'lora_r', message });
  }
  if (config.lora_r !== null && config.cold_start_steps > 0 && config.cold_start_dataset === null) {
    const message =
      'A cold start of adapters needs a data set: worked examples are written in the small models’ notation.';
    problems.push({ field: 'cold_start_steps', message });
  }
  if (config.cold_start_dataset !== null && config.cold_start_steps === 0) {
    const message =
      'There is a data set for the cold start, which makes no updates: set it to about 100, or the data set to none.';
    problems.push({ field: 'cold_start_steps', message });
  }
  if (config.delta !== null && config.delta <= 1 + config.epsilon_high) {
    const message = `Two-sided clip must be above 1 + clip above, that is above ${1 + config.epsilon_high}, or off.`;
    problems.push({ field: 'delta', message });
  }
  return problems;
}

function checkValue(key: FieldKey, value: FieldValue | undefined): string | null {
  const field = describeField(key);
  switch (field.kind) {
    case 'number':
      return checkNumber(key, field, value);
    case 'choice':
      if (key === 'lora_target_modules') return checkModules(value);
      if (field.options.some((option) => option.value === value)) return null;
      return `${field.label} must be one of ${field.options.map((option) => option.value).join(', ')}, not ${show(value)}.`;
    case 'switch':
      return typeof value === 'boolean' ? null : `${field.label} must be on or off, not ${show(value)}.`;
    case 'name':
      if (key === 'cold_start_dataset') return checkDatasetName(value);
      return key === 'task' ? checkTask(value) : checkModelName(value);
  }
}

function checkNumber(key: FieldKey, field: NumberField, value: FieldValue | undefined): string | null {
  if (value === null && field.nullable) return null;
  if (key === 'num_generations' && typeof value === 'number' && value < 2) {
    return `Group size is ${show(value)}, but an advantage compares a completion with its group: set it to 2 or more.`;
  }
  const fits =
    typeof value === 'number' &&
    (field.above ? value > field.min : value >= field.min) &&
    value <= field.max &&
    (!field.integer || Number.isInteger(value));
  if (fits) return null;
  const kind = field.integer ? 'a whole number' : 'a number';
  const range = field.above ? `above ${field.min} and at most ${field.max}` : `from ${field.min} to ${field.max}`;
  return `${field.label} must be ${kind} ${range}, not ${show(value)}.`;
}

/** More than the form offers. */
function checkModules(value: FieldValue | undefined): string | null {
  try {
    targetModules(String(value));
    return null;
  } catch (error) {
    return `Adapted layers: ${(error as Error).message}.`;
  }
}

function checkTask(value: FieldValue | undefined, known = allTasks): string | null {
  if (known.some((task) => task.name === value) || (known === allTasks && isDataset(value))) return null;
  return `There is no task ${show(value)}. The tasks are: ${known.map((task) => task.name).join(', ')}.`;
}

/** A model that a run can start from; a server run may also start from one on the Hub. */
function checkModelName(value: FieldValue | undefined): string | null {
  const kind = typeof value === 'string' ? parseModelId(value)?.kind : undefined;
  if (kind && kind !== 'opened' && kind !== 'server') return null;
  return `${show(value)} is not the name of a model. Choose one of the list, such as ${defaultRunConfig.model}.`;
}

function checkDatasetName(value: FieldValue | undefined): string | null {
  if (value === null || (typeof value === 'string' && /^[A-Za-z0-9][\w.-]{0,99}$/.test(value))) return null;
  return `${show(value)} is not the name of a data set. The Distil page lists those of this device.`;
}

/** The config of a task at its own default difficulty. */
export function configForTask(config: RunConfig, task: string): RunConfig {
  return { ...config, task, difficulty: getTask(task).difficulty.default };
}

/** The config with another model. From all weights to adapters or back, what their defaults differ in is set to these. */
export function configForModel(config: RunConfig, model: string): RunConfig {
  if (learnsByAdapters(model) === learnsByAdapters(config.model)) return { ...config, model };
  const of = defaultsWith(model);
  const set = Object.keys(adapterDefaults).map((key) => [key, of[key as keyof typeof adapterDefaults]]);
  return { ...config, ...(Object.fromEntries(set) as Partial<RunConfig>), model };
}

/** The defaults of runs that start from such a model. */
function defaultsWith(model: string): RunConfig {
  return learnsByAdapters(model) ? { ...defaultRunConfig, ...adapterDefaults } : defaultRunConfig;
}

/** The tasks that a page's own run can have: stories are for models that read. */
export const tasksFor = (model: string): readonly Task[] => (learnsByAdapters(model) ? allTasks : tasks);

/** What `config` is measured against: the defaults, with the default difficulty of its own task. */
function defaultsFor(config: RunConfig): RunConfig {
  const defaults = defaultsWith(config.model);
  return tasksFor(config.model).some((task) => task.name === config.task)
    ? configForTask(defaults, config.task)
    : defaults;
}

/** What a field goes back to in a config like this. */
export const defaultOf = (config: RunConfig, key: FieldKey): FieldValue => getField(defaultsFor(config), key);

/** The fields in which a config differs from the defaults; the difficulty counts against its task's own default. */
export function changedFields(config: RunConfig): FieldKey[] {
  const defaults = { ...defaultsFor(config), task: defaultsWith(config.model).task };
  return fieldKeys.filter((key) => !Object.is(getField(config, key), getField(defaults, key)));
}

/** Only what differs from the defaults, so that links stay short; `configFromParams` is its inverse. */
export function configToParams(config: RunConfig): URLSearchParams {
  const params = new URLSearchParams();
  for (const key of changedFields(config)) params.set(key, formatValue(getField(config, key)));
  return params;
}

/**
 * The config in a URL. What is unknown or can't be is left at its default and reported; nothing is fatal.
 * @param others parameters of the page that are not the config's
 */
export function configFromParams(
  params: URLSearchParams,
  others: readonly string[] = [],
): { config: RunConfig; problems: { param: string; message: string }[] } {
  const problems: { param: string; message: string }[] = [];
  const model = params.get('model');
  const named = model !== null && checkModelName(model) === null;
  let config = named ? configForModel(defaultRunConfig, model) : defaultRunConfig;
  const offered = tasksFor(config.model);
  const task = params.get('task');
  if (task !== null && checkTask(task, offered) === null) config = configForTask(config, task);
  for (const [param, text] of params) {
    if (others.includes(param)) continue;
    if (!isFieldKey(param)) {
      problems.push({ param, message: `${show(param)} is not a setting of a run; it was ignored.` });
      continue;
    }
    const value = parseValue(describeField(param), text);
    // What a page can run is less than what there is.
    const message = param === 'task' ? checkTask(value, offered) : checkValue(param, value);
    if (message) problems.push({ param, message: `${message} The default was kept.` });
    else config = withField(config, param, value);
  }
  const { min, max } = getTask(config.task).difficulty;
  if (config.difficulty < min || config.difficulty > max) {
    problems.push({ param: 'difficulty', message: `Difficulty goes from ${min} to ${max}. The default was kept.` });
    config = configForTask(config, config.task);
  }
  return { config, problems };
}

function formatValue(value: FieldValue): string {
  if (value === null) return 'off';
  return typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value);
}

function parseValue(field: Field, text: string): FieldValue {
  if (field.kind === 'switch') return text === 'on' ? true : text === 'off' ? false : text;
  if (field.kind !== 'number') return text;
  if (field.nullable && text === 'off') return null;
  return text.trim() === '' ? NaN : Number(text);
}

function show(value: unknown): string {
  if (typeof value === 'number' || value === undefined) return String(value);
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
