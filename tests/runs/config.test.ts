/** @file What can't run is refused with a message; configs survive their URL; the table, presets and names hold together. */
import { describe, expect, it } from 'vitest';
import type { RunConfig } from '../../src/rl/config';
import {
  changedFields,
  checkConfig,
  configForModel,
  configForTask,
  configFromParams,
  configToParams,
  defaultRunConfig,
} from '../../src/runs/config';
import {
  appliesTo,
  describeField,
  fieldAliases,
  fieldGroups,
  fieldKeys,
  fieldOfOption,
  formatField,
  getField,
  parseField,
  withField,
} from '../../src/runs/fields';
import { tasksFor, type KnownTraits } from '../../src/runs/model-capabilities';
import { trainedTask } from '../../src/runs/trained-task';
import { upgradeConfig } from '../../src/runs/upgrade';
import { rewards } from '../../src/rl/rewards';
import { runName, uniqueName } from '../../src/runs/names';
import { getPreset, presetConfig, presets } from '../../src/runs/presets';
import { tasks } from '../../src/tasks';

const config = (patch: Partial<RunConfig>): RunConfig => ({ ...defaultRunConfig, ...patch });
const weights = (...reward_weights: number[]): Partial<RunConfig> => ({ reward_weights });

describe('checkConfig', () => {
  it('accepts the defaults, every preset and every task', () => {
    expect(checkConfig(defaultRunConfig, { context: 512 })).toEqual([]);
    for (const preset of presets) expect(checkConfig(presetConfig(preset), { context: 512 })).toEqual([]);
    for (const task of tasks) expect(checkConfig(configForTask(defaultRunConfig, task.name))).toEqual([]);
  });

  it.each<[Partial<RunConfig>, string, RegExp]>([
    [{ num_generations: 1 }, 'num_generations', /Group size is 1, .* set it to 2 or more/],
    [{ num_generations: 0 }, 'num_generations', /set it to 2 or more/],
    [{ num_generations: 2.5 }, 'num_generations', /whole number from 2 to 1024, not 2\.5/],
    [{ num_prompts: 0 }, 'num_prompts', /from 1 to 1024, not 0/],
    [{ learning_rate: NaN }, 'learning_rate', /above 0 and at most 1, not NaN/],
    [{ learning_rate: 0 }, 'learning_rate', /above 0/],
    [{ learning_rate: Infinity }, 'learning_rate', /not Infinity/],
    [{ learning_rate: '3e-4' as never }, 'learning_rate', /not "3e-4"/],
    [{ task: 'chess' }, 'task', /no task "chess"\. The tasks are: sum, mul, countdown, parity/],
    [{ difficulty: 99 }, 'difficulty', /difficulties from 3 to 10, not 99/],
    [{ epsilon: 0 }, 'epsilon', /above 0/],
    [{ epsilon_high: -0.2 }, 'epsilon_high', /above 0/],
    [{ delta: 1.1 }, 'delta', /off or above .*, that is, above 1\.2/],
    [{ temperature: 0 }, 'temperature', /above 0/],
    [{ top_p: 0 }, 'top_p', /above 0 and at most 1/],
    [{ max_completion_length: 512 }, 'max_completion_length', /at most 512 tokens/],
    [{ loss_type: 'ppo' as never }, 'loss_type', /one of grpo, bnpo, dr_grpo, dapo, cispo, sapo, not "ppo"/],
    [{ use_bias_correction_kl: 1 as never }, 'use_bias_correction_kl', /on or off, not 1/],
    [weights(0, 0, 0), 'reward_weights.accuracy', /nothing to learn/],
    [weights(1, NaN, 0), 'reward_weights.format', /not NaN/],
    [weights(1, 0.2), '*', /same length/],
    [{ reward_funcs: ['accuracy', 'accuracy', 'format'] }, '*', /each reward once/],
    [
      { reward_funcs: ['accuracy', 'format', 'charm'] },
      '*',
      /no reward "charm"\. The rewards are: accuracy, format, length/,
    ],
    [{ model: '../../etc' }, 'model', /isn’t the name of a model/],
    [{ model: 'https://evil.example' }, 'model', /isn’t the name of a model/],
    [{ seed: -1 }, 'seed', /from 0 to 4294967295/],
    [{ seed: undefined as never }, 'seed', /not undefined/],
  ])('refuses %j', (patch, field, message) => {
    const problems = checkConfig(config(patch), { context: 512 });
    expect(problems.map((problem) => problem.field)).toEqual([field]);
    expect(problems[0]!.message).toMatch(message);
  });

  it('reports every wrong field at once', () => {
    const problems = checkConfig(config({ num_generations: 1, learning_rate: NaN, task: '' }));
    expect(problems.map((problem) => problem.field).sort()).toEqual(['learning_rate', 'num_generations', 'task']);
  });

  it.each([
    null,
    'x',
    {},
    3,
    { reward_weights: null },
    { reward_weights: {} },
    { reward_funcs: [1], reward_weights: [1] },
  ])('survives %j', (value) => {
    expect(checkConfig(value as never).length).toBeGreaterThan(0);
  });

  it('knows the names of checkpoints and imported files', () => {
    expect(checkConfig(config({ model: 'run:abc-123@40' }))).toEqual([]);
    expect(checkConfig(config({ model: 'file:my model.zip' }))).toEqual([]);
    expect(checkConfig(config({ model: 'run:a/b@4' }))).toHaveLength(1);
    expect(checkConfig(config({ model: 'Qwen/Qwen2.5-0.5B-Instruct' }))).toEqual([]);
    expect(checkConfig(config({ model: 'a/../b' }))).toHaveLength(1);
  });

  it('knows the data sets of a server', () => {
    expect(checkConfig(config({ task: 'dataset:0123456789abcdef', difficulty: 0 }))).toEqual([]);
    expect(checkConfig(config({ task: 'dataset:../../etc' }))).toHaveLength(1);
    // A link can't ask for one: this page has none.
    expect(configFromParams(new URLSearchParams('task=dataset:0123456789abcdef')).problems).toHaveLength(1);
  });
});

describe('the URL', () => {
  it('is empty for the defaults, and holds only what differs', () => {
    expect(configToParams(defaultRunConfig).toString()).toBe('');
    expect(configToParams(config({ learning_rate: 1e-7, delta: 4 })).toString()).toBe('delta=4&learning_rate=1e-7');
    expect(configToParams(configForTask(defaultRunConfig, 'countdown')).toString()).toBe('task=countdown');
  });

  it('keeps every preset', () => {
    for (const preset of presets) {
      const url = configToParams(presetConfig(preset)).toString();
      expect(configFromParams(new URLSearchParams(url))).toEqual({ config: presetConfig(preset), problems: [] });
    }
  });

  it('keeps every field, whatever its value', () => {
    for (const key of fieldKeys) {
      const field = describeField(key);
      const values =
        field.kind === 'number'
          ? [...field.usual, field.usual[0] + (field.integer ? 1 : 0.1 + 0.2), ...(field.nullable ? [null, 7.5] : [])]
          : field.kind === 'choice'
            ? field.options.map((option) => option.value)
            : field.kind === 'switch'
              ? [true, false]
              : [key === 'task' ? 'parity' : 'run:a@3'];
      for (const value of values) {
        if (key === 'difficulty' && (Number(value) < 3 || Number(value) > 10)) continue;
        const changed =
          key === 'task' ? configForTask(defaultRunConfig, String(value)) : withField(defaultRunConfig, key, value);
        const back = configFromParams(new URLSearchParams(configToParams(changed).toString()));
        if (back.problems.length > 0) {
          // `usual` touches bounds that a field may exclude; then the value must be one that can't run either.
          expect(checkConfig(changed)).not.toEqual([]);
        } else expect(back.config).toEqual(changed);
      }
    }
  });

  it('reports what it does not know, and goes on', () => {
    const params = new URLSearchParams(
      'learning_rate=fast&nonsense=1&task=chess&seed=7&step=12&num_prompts=&__proto__=1',
    );
    const { config: read, problems } = configFromParams(params, ['step']);
    expect(read).toEqual(config({ seed: 7 }));
    expect(problems.map((problem) => problem.param)).toEqual([
      'learning_rate',
      'nonsense',
      'task',
      'num_prompts',
      '__proto__',
    ]);
    expect(configFromParams(new URLSearchParams('task=mul&difficulty=99')).config.difficulty).toBe(9);
  });
});

describe('adapters of a downloaded model', () => {
  const stored = 'store:acme-SmolLM2-135M-0123456789';
  const adapted = configForModel(defaultRunConfig, stored);

  it('has defaults of its own, which a link leaves out, and goes back to those of all weights', () => {
    expect(checkConfig(adapted)).toEqual([]);
    expect(adapted).toMatchObject({ task: 'word-problems', lora_r: 16, num_prompts: 2, num_generations: 8 });
    expect(configToParams(adapted).toString()).toBe(new URLSearchParams({ model: stored }).toString());
    expect(configForModel(adapted, 'tinythink-1m')).toEqual(defaultRunConfig);
    expect(configForModel({ ...adapted, lora_r: 4 }, `${stored}0`)).toMatchObject({ lora_r: 4 });
    const kept = configForModel(config({ seed: 3, beta: 0.1 }), stored);
    expect(kept).toMatchObject({ seed: 3, beta: 0.1 });
  });

  it('survives its URL, with stories and toy tasks', () => {
    for (const patch of [{ lora_r: 4, quant: 'q8_0' as const }, { lora_target_modules: 'q_proj,up_proj' }]) {
      for (const task of ['word-problems', 'sum', 'countdown']) {
        const changed = { ...configForTask(adapted, task), ...patch };
        const params = new URLSearchParams(configToParams(changed).toString());
        expect(configFromParams(params)).toEqual({ config: changed, problems: [] });
      }
    }
    // Stories are for models that read. An imported model may be one.
    for (const model of ['file:mine', 'run:abc@8']) {
      expect(configFromParams(new URLSearchParams({ model, task: 'word-problems' })).problems).toEqual([]);
    }
    expect(configFromParams(new URLSearchParams('task=word-problems')).problems).toHaveLength(1);
  });

  it.each<[Partial<RunConfig>, string, RegExp]>([
    [{ lora_r: 0 }, 'lora_r', /from 1 to 256/],
    [{ lora_alpha: 0 }, 'lora_alpha', /above 0/],
    [{ lora_target_modules: 'lm_head' }, 'lora_target_modules', /not lm_head/],
    [{ quant: 'q2_k' as never }, 'quant', /one of stored, f16, q8_0, q4_0/],
    [{ cold_start_steps: 5 }, 'cold_start_steps', /needs a data set/],
    [{ model: 'store:../etc' }, 'model', /isn’t the name of a model/],
  ])('refuses %j', (patch, field, message) => {
    const problems = checkConfig({ ...adapted, ...patch });
    expect(problems.map((problem) => problem.field)).toEqual([field]);
    expect(problems[0]!.message).toMatch(message);
  });

  it('can train all weights of a downloaded model, too', () => {
    expect(checkConfig({ ...adapted, lora_r: null })).toEqual([]);
  });

  it('can train adapters of the embedded model', () => {
    expect(checkConfig({ ...defaultRunConfig, lora_r: 4 })).toEqual([]);
  });

  it('names its runs by the model and what is special', () => {
    expect(runName(adapted)).toBe('Word problems · acme-SmolLM2-135M');
    expect(runName({ ...adapted, lora_r: 4 })).toBe('Word problems · acme-SmolLM2-135M · rank 4');
  });
});

describe('models whose names don’t tell what they are', () => {
  const known: KnownTraits = (model) =>
    new Map([
      ['file:reader', { readsLanguage: true, adapter: false }],
      ['file:adapter', { readsLanguage: true, adapter: true }],
      ['file:toy', { readsLanguage: false, adapter: false }],
      ['file:toy adapter', { readsLanguage: false, adapter: true }],
    ]).get(model);

  it.each([
    ['file:reader', 'word-problems', 16, 5],
    ['file:adapter', 'word-problems', 16, 5],
    ['file:toy', 'sum', null, 4],
    ['file:toy adapter', 'sum', 16, 4],
    // Nobody has looked at it.
    ['file:unknown', 'sum', null, 5],
    ['tinythink-1m', 'sum', null, 4],
    ['store:a-0123456789', 'word-problems', 16, 5],
  ])('%s is trained on %s with r = %s, and has %i tasks to choose from', (model, task, lora_r, count) => {
    const made = configForModel(defaultRunConfig, model, known);
    expect(made).toMatchObject({ model, task, lora_r });
    expect(checkConfig(made)).toEqual([]);
    expect(tasksFor(model, known)).toHaveLength(count);
    // A link means the same on a device that knows nothing of the model.
    expect(configFromParams(configToParams(made))).toEqual({ config: made, problems: [] });
    expect(changedFields(made, known)).toEqual(model === 'tinythink-1m' ? [] : ['model']);
  });

  it('gives a toy model a task that it can read', () => {
    const reader = configForModel(defaultRunConfig, 'file:adapter', known);
    expect(configForModel(reader, 'file:toy adapter', known)).toMatchObject({ task: 'sum', lora_r: 16 });
    expect(configForModel(reader, 'file:toy', known)).toEqual({ ...defaultRunConfig, model: 'file:toy' });
  });
});

describe('how a run’s model is asked', () => {
  const started = (kind: 'webgpu' | 'trl', reads_language: boolean) =>
    ({
      device: { kind, description: '' },
      model: { name: '', parameters: 1, architecture: '', reads_language },
    }) as const;
  it('is as it was trained: a server asks toy tasks bare', () => {
    expect(trainedTask('sum', started('webgpu', true)).instruction).toContain('Think step by step');
    expect(trainedTask('sum', started('webgpu', false)).instruction).toBeUndefined();
    expect(trainedTask('sum', started('trl', true)).instruction).toBeUndefined();
    expect(trainedTask('sum', null).instruction).toBeUndefined();
    expect(trainedTask('word-problems', started('trl', true)).instruction).toContain('Think step by step');
  });
});

describe('the table of fields', () => {
  it('covers the config exactly', () => {
    const flat = Object.keys(defaultRunConfig).flatMap((key) =>
      key === 'reward_funcs' ? [] : key === 'reward_weights' ? rewards.map(({ name }) => `${key}.${name}`) : [key],
    );
    expect([...fieldKeys].sort()).toEqual(flat.sort());
  });

  it('explains each field in one line, in a known group, with sound bounds', () => {
    const groups = new Set(fieldGroups.map(({ group }) => group));
    for (const key of fieldKeys) {
      const field = describeField(key);
      expect(field.help).toMatch(/^[^\n]{10,110}\.$/);
      expect(groups.has(field.group)).toBe(true);
      if (field.kind !== 'number') continue;
      expect(field.usual[0]).toBeGreaterThanOrEqual(field.min);
      expect(field.usual[1]).toBeLessThanOrEqual(field.max);
      if (field.scale === 'log') expect(field.usual[0]).toBeGreaterThan(0);
      const value = getField(defaultRunConfig, key);
      if (value !== null) expect(value).toBeLessThanOrEqual(Math.max(field.usual[1], 160));
    }
    expect(fieldKeys.filter((key) => describeField(key).live)).toEqual([
      'temperature',
      'reward_weights.accuracy',
      'reward_weights.format',
      'reward_weights.length',
      'learning_rate',
    ]);
  });

  it('changes a copy', () => {
    const changed = withField(defaultRunConfig, 'reward_weights.length', 0.5);
    expect(changed).toMatchObject({ reward_funcs: ['accuracy', 'format', 'length'], reward_weights: [1, 0.2, 0.5] });
    expect(defaultRunConfig.reward_weights).toEqual([1, 0.2, 0]);
    expect(changedFields(changed)).toEqual(['reward_weights.length']);
  });
});

describe('rewards as lists', () => {
  it('gives a reward that a run does not have weight 0, and adds it when it is given one', () => {
    const accuracyOnly = config({ reward_funcs: ['accuracy'], reward_weights: [1] });
    expect(checkConfig(accuracyOnly)).toEqual([]);
    expect(getField(accuracyOnly, 'reward_weights.length')).toBe(0);
    const both = withField(accuracyOnly, 'reward_weights.length', -0.5);
    expect(both).toMatchObject({ reward_funcs: ['accuracy', 'length'], reward_weights: [1, -0.5] });
  });

  it('reads configs that had the weights as a record', () => {
    const { reward_funcs: _, lora_r: __, ...rest } = defaultRunConfig;
    const old = { ...rest, reward_weights: { accuracy: 1, format: 0.2, length: 0 } };
    expect(upgradeConfig(old)).toEqual(defaultRunConfig);
    expect(upgradeConfig(defaultRunConfig)).toEqual(defaultRunConfig);
    expect(upgradeConfig('x')).toBe('x');
  });

  it('reads links by the name of the reward', () => {
    const { config: read, problems } = configFromParams(new URLSearchParams('reward_weights.length=0.5'));
    expect({ read, problems }).toEqual({ read: config({ reward_weights: [1, 0.2, 0.5] }), problems: [] });
  });
});

describe('settings as text', () => {
  it('reads back what it writes', () => {
    for (const key of fieldKeys) {
      const value = getField(defaultRunConfig, key);
      expect(parseField(key, formatField(value)), key).toBe(value);
    }
  });

  it.each([
    ['delta', 'none', null],
    ['use_bias_correction_kl', 'false', false],
    ['learning_rate', '3e-4', 3e-4],
    ['reward_weights.length', '-1', -1],
  ] as const)('reads %s from %s', (key, text, value) => expect(parseField(key, text)).toBe(value));

  it.each([
    ['learning_rate', 'fast', 'Learning rate must be a number above 0 and at most 1, not NaN.'],
    ['use_bias_correction_kl', 'yes', 'Unbiased KL must be on or off, not "yes".'],
    ['loss_type', 'ppo', 'Loss must be one of grpo, bnpo, dr_grpo, dapo, cispo, sapo, not "ppo".'],
    ['num_prompts', '', 'Prompts per step must be a whole number from 1 to 1024, not NaN.'],
  ] as const)('refuses %s from %j', (key, text, message) => {
    expect(() => parseField(key, text)).toThrow(new RangeError(message));
  });

  it('knows options by alias and by key', () => {
    expect(fieldOfOption('lr')).toBe('learning_rate');
    expect(fieldOfOption('learning-rate')).toBe('learning_rate');
    expect(fieldOfOption('reward-format')).toBe('reward_weights.format');
    expect(fieldOfOption('reward-charm')).toBeNull();
    expect(fieldOfOption('reward-weights')).toBeNull();
    expect(fieldOfOption('constructor')).toBeNull();
    for (const key of Object.values(fieldAliases)) expect(fieldKeys).toContain(key);
  });

  it('applies settings of a loss only with that loss', () => {
    const shown = (loss_type: RunConfig['loss_type']) =>
      (['epsilon', 'epsilon_high', 'sapo_temperature_pos', 'beta'] as const).filter((key) =>
        appliesTo(config({ loss_type }), key),
      );
    expect(shown('dapo')).toEqual(['epsilon', 'epsilon_high', 'beta']);
    expect(shown('cispo')).toEqual(['epsilon_high', 'beta']);
    expect(shown('sapo')).toEqual(['sapo_temperature_pos', 'beta']);
  });
});

describe('presets and names', () => {
  it('gives each preset two sentences and a name of its own', () => {
    for (const preset of presets) expect(preset.watch.match(/[.!?](?= |$)/g)).toHaveLength(2);
    expect(new Set(presets.map((preset) => preset.name)).size).toBe(presets.length);
    expect(getPreset('collapse')?.patch.learning_rate).toBe(1e-3);
    expect(getPreset('nothing')).toBeUndefined();
  });

  it('names a run by what differs from the defaults', () => {
    expect(runName(defaultRunConfig)).toBe('Chain sums');
    expect(runName(configForTask(defaultRunConfig, 'mul'))).toBe('Multiplication');
    expect(runName(config({ learning_rate: 1e-3, loss_type: 'dr_grpo' }))).toBe('Chain sums · loss dr_grpo · lr 0.001');
    expect(runName(config({ log_probability_change: false }))).toBe('Chain sums · no show change');
    const many = config({ seed: 1, epsilon: 0.1, beta: 0.1, top_k: 5, num_prompts: 2, weight_decay: 0.1 });
    expect(runName(many)).toMatch(/ · \+2 more$/);
    expect(runName(config({ task: 'gone' }))).toBe('gone');
  });

  it('numbers a name that is taken', () => {
    expect(uniqueName('a', [])).toBe('a');
    expect(uniqueName('a', ['a', 'a (2)', 'b'])).toBe('a (3)');
  });
});
