/** @file A run's config: the defaults, what can't run and why, and its form in a URL. */
import { t } from '../i18n';
import { defaultGrpoConfig } from '../rl/config';
import type { RunConfig } from '../rl/config';
import { rewards } from '../rl/rewards';
import { getTask } from '../tasks';
import { checkField, checkModelName, checkTask, EMBEDDED_MODEL, show } from './fields/check';
import { fieldKeys, formatField, getField, isFieldKey, readField, withField } from './fields';
import type { FieldKey, FieldValue } from './fields';
import { isDownloaded, namesOnly, prefersAdapters, tasksFor, type KnownTraits } from './model-capabilities';

export const defaultRunConfig: RunConfig = {
  ...defaultGrpoConfig,
  model: EMBEDDED_MODEL,
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

/** What differs from these for adapters of a downloaded model: a batch that a laptop can compute. */
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

/** Everything that keeps a config from running, one message per problem; empty when it can run. Takes anything. */
export function checkConfig(config: RunConfig, limits: ConfigLimits = {}): ConfigProblem[] {
  if (typeof config !== 'object' || config === null || !('reward_weights' in config)) {
    return [{ field: '*', message: t('config:problems.notAConfig') }];
  }
  const rewardProblem = checkRewards(config);
  if (rewardProblem !== null) return [{ field: '*', message: rewardProblem }];
  const problems: ConfigProblem[] = [];
  for (const field of fieldKeys) {
    const message = checkField(field, getField(config, field));
    if (message) problems.push({ field, message });
  }
  // Rules between fields only make sense for fields that are each right.
  return problems.length > 0 ? problems : checkTogether(config, limits);
}

/** The lists of rewards as lists; each weight is checked as a field of its own. */
function checkRewards({ reward_funcs, reward_weights }: RunConfig): string | null {
  const sound =
    Array.isArray(reward_funcs) &&
    Array.isArray(reward_weights) &&
    reward_funcs.length === reward_weights.length &&
    new Set(reward_funcs).size === reward_funcs.length;
  if (!sound) return t('config:problems.rewardLists');
  const names = rewards.map(({ name }) => name);
  const unknown: unknown = reward_funcs.find((name) => !names.includes(name));
  if (unknown === undefined) return null;
  return t('config:problems.unknownReward', { value: show(unknown), rewards: names.join(', ') });
}

function checkTogether(config: RunConfig, { context }: ConfigLimits): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const task = getTask(config.task);
  const { min, max } = task.difficulty;
  if (config.difficulty < min || config.difficulty > max) {
    const message = t('config:problems.difficultyRange', { task: task.title, min, max, value: config.difficulty });
    problems.push({ field: 'difficulty', message });
  }
  if (context !== undefined && config.max_completion_length >= context) {
    const message = t('config:problems.exceedsContext', {
      value: config.max_completion_length,
      contextLength: context,
    });
    problems.push({ field: 'max_completion_length', message });
  }
  if (config.reward_weights.every((weight) => weight === 0)) {
    problems.push({ field: `reward_weights.${rewards[0]!.name}`, message: t('config:problems.noReward') });
  }
  if (config.max_steps === 0 && config.cold_start_steps === 0) {
    problems.push({ field: 'max_steps', message: t('config:problems.noSteps') });
  }
  if (isDownloaded(config.model) && config.cold_start_steps > 0 && config.cold_start_dataset === null) {
    problems.push({ field: 'cold_start_steps', message: t('config:problems.coldStartNeedsData') });
  }
  if (config.cold_start_dataset !== null && config.cold_start_steps === 0) {
    problems.push({ field: 'cold_start_steps', message: t('config:problems.dataNeedsColdStart') });
  }
  if (config.delta !== null && config.delta <= 1 + config.epsilon_high) {
    const message = t('config:problems.deltaTooSmall', { least: 1 + config.epsilon_high });
    problems.push({ field: 'delta', message });
  }
  return problems;
}

/** The config of a task at its own default difficulty. */
export function configForTask(config: RunConfig, task: string): RunConfig {
  return { ...config, task, difficulty: getTask(task).difficulty.default };
}

/** The config with another model. Between all weights and adapters, the settings whose defaults differ are reset. */
export function configForModel(config: RunConfig, model: string, known: KnownTraits = namesOnly): RunConfig {
  if (prefersAdapters(model, known) === prefersAdapters(config.model, known)) {
    const canSolve = tasksFor(model, known).some(({ name }) => name === config.task);
    return { ...(canSolve ? config : configForTask(config, defaultRunConfig.task)), model };
  }
  const of = defaultsWith(model, known);
  const set = Object.keys(adapterDefaults).map((key) => [key, of[key as keyof typeof adapterDefaults]]);
  return { ...config, ...(Object.fromEntries(set) as Partial<RunConfig>), model };
}

/** The defaults of a run that starts from this model. */
function defaultsWith(model: string, known: KnownTraits = namesOnly): RunConfig {
  if (!prefersAdapters(model, known)) return defaultRunConfig;
  const defaults = { ...defaultRunConfig, ...adapterDefaults };
  const canSolve = tasksFor(model, known).some(({ name }) => name === defaults.task);
  return canSolve ? defaults : configForTask(defaults, defaultRunConfig.task);
}

/** What `config` is measured against: the defaults, with the default difficulty of its own task. */
function defaultsFor(config: RunConfig, known: KnownTraits): RunConfig {
  const defaults = defaultsWith(config.model, known);
  return tasksFor(config.model, known).some((task) => task.name === config.task)
    ? configForTask(defaults, config.task)
    : defaults;
}

/** What a field is reset to in this config. */
export const defaultOf = (config: RunConfig, key: FieldKey, known: KnownTraits = namesOnly): FieldValue =>
  getField(defaultsFor(config, known), key);

/** The fields in which a config differs from the defaults; the difficulty counts against its task's own default. */
export function changedFields(config: RunConfig, known: KnownTraits = namesOnly): FieldKey[] {
  const defaults = { ...defaultsFor(config, known), task: defaultsWith(config.model, known).task };
  return fieldKeys.filter((key) => !Object.is(getField(config, key), getField(defaults, key)));
}

/** Only what differs from the defaults, so that links stay short; `configFromParams` is its inverse. */
export function configToParams(config: RunConfig): URLSearchParams {
  const params = new URLSearchParams();
  for (const key of changedFields(config)) params.set(key, formatField(getField(config, key)));
  return params;
}

/**
 * The config in a URL. What is unknown or invalid is left at its default and reported; nothing is fatal.
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
      problems.push({ param, message: t('config:problems.unknownParameter', { param: show(param) }) });
      continue;
    }
    const value = readField(param, text);
    // The page itself can't run every task.
    const problem = param === 'task' ? checkTask(value, offered) : checkField(param, value);
    if (problem) problems.push({ param, message: t('config:problems.defaultKept', { problem }) });
    else config = withField(config, param, value);
  }
  const { min, max } = getTask(config.task).difficulty;
  if (config.difficulty < min || config.difficulty > max) {
    const value = config.difficulty;
    const problem = t('config:problems.difficultyRange', { task: getTask(config.task).title, min, max, value });
    problems.push({ param: 'difficulty', message: t('config:problems.defaultKept', { problem }) });
    config = configForTask(config, config.task);
  }
  return { config, problems };
}
