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
import { fieldGroups, fieldKeys, fields, getField, withField } from '../../src/runs/fields';
import { runName, uniqueName } from '../../src/runs/names';
import { getPreset, presetConfig, presets } from '../../src/runs/presets';
import { tasks } from '../../src/tasks';

const config = (patch: Partial<RunConfig>): RunConfig => ({ ...defaultRunConfig, ...patch });
const weights = (accuracy: number, format: number, length: number) => ({ accuracy, format, length });

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
    [{ difficulty: 99 }, 'difficulty', /goes from 3 to 10, not 99/],
    [{ epsilon: 0 }, 'epsilon', /above 0/],
    [{ epsilon_high: -0.2 }, 'epsilon_high', /above 0/],
    [{ delta: 1.1 }, 'delta', /above 1\.2, or off/],
    [{ temperature: 0 }, 'temperature', /above 0/],
    [{ top_p: 0 }, 'top_p', /above 0 and at most 1/],
    [{ max_completion_length: 512 }, 'max_completion_length', /at most 512 tokens/],
    [{ loss_type: 'ppo' as never }, 'loss_type', /one of grpo, bnpo, dr_grpo, dapo, cispo, sapo, not "ppo"/],
    [{ use_bias_correction_kl: 1 as never }, 'use_bias_correction_kl', /on or off, not 1/],
    [{ reward_weights: weights(0, 0, 0) }, 'reward_weights.accuracy', /nothing to learn/],
    [{ reward_weights: weights(1, NaN, 0) }, 'reward_weights.format', /not NaN/],
    [{ model: '../../etc' }, 'model', /not the name of a model/],
    [{ model: 'https://evil.example' }, 'model', /not the name of a model/],
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

  it.each([null, 'x', {}, 3, { reward_weights: null }, { reward_weights: {} }])('survives %j', (value) => {
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
      const field = fields[key];
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
    // Stories are for models that read.
    expect(configFromParams(new URLSearchParams('task=word-problems')).problems).toHaveLength(1);
  });

  it.each<[Partial<RunConfig>, string, RegExp]>([
    [{ lora_r: null }, 'lora_r', /only adapters can be trained/],
    [{ lora_r: 0 }, 'lora_r', /from 1 to 256/],
    [{ lora_alpha: 0 }, 'lora_alpha', /above 0/],
    [{ lora_target_modules: 'lm_head' }, 'lora_target_modules', /not lm_head/],
    [{ quant: 'q2_k' as never }, 'quant', /one of stored, f16, q8_0, q4_0/],
    [{ cold_start_steps: 5 }, 'cold_start_steps', /needs a data set/],
    [{ model: 'store:../etc' }, 'model', /not the name of a model/],
  ])('refuses %j', (patch, field, message) => {
    const problems = checkConfig({ ...adapted, ...patch });
    expect(problems.map((problem) => problem.field)).toEqual([field]);
    expect(problems[0]!.message).toMatch(message);
  });

  it('names its runs by the model and what is special', () => {
    expect(runName(adapted)).toBe('Word problems · acme-SmolLM2-135M');
    expect(runName({ ...adapted, lora_r: 4 })).toBe('Word problems · acme-SmolLM2-135M · rank 4');
  });
});

describe('the table of fields', () => {
  it('covers the config exactly', () => {
    const flat = Object.keys(defaultRunConfig).flatMap((key) =>
      key === 'reward_weights' ? Object.keys(defaultRunConfig.reward_weights).map((name) => `${key}.${name}`) : [key],
    );
    expect([...fieldKeys].sort()).toEqual(flat.sort());
  });

  it('explains each field in one line, in a known group, with sound bounds', () => {
    const groups = new Set(fieldGroups.map(({ group }) => group));
    for (const key of fieldKeys) {
      const field = fields[key];
      expect(field.help).toMatch(/^[^\n]{10,110}\.$/);
      expect(groups.has(field.group)).toBe(true);
      if (field.kind !== 'number') continue;
      expect(field.usual[0]).toBeGreaterThanOrEqual(field.min);
      expect(field.usual[1]).toBeLessThanOrEqual(field.max);
      if (field.scale === 'log') expect(field.usual[0]).toBeGreaterThan(0);
      const value = getField(defaultRunConfig, key);
      if (value !== null) expect(value).toBeLessThanOrEqual(Math.max(field.usual[1], 160));
    }
    expect(fieldKeys.filter((key) => fields[key].live)).toEqual([
      'temperature',
      'reward_weights.accuracy',
      'reward_weights.format',
      'reward_weights.length',
      'learning_rate',
    ]);
  });

  it('changes a copy', () => {
    const changed = withField(defaultRunConfig, 'reward_weights.length', 0.5);
    expect(changed.reward_weights).toEqual(weights(1, 0.2, 0.5));
    expect(defaultRunConfig.reward_weights.length).toBe(0);
    expect(changedFields(changed)).toEqual(['reward_weights.length']);
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
