/** @file The logic of the Distil page: the form, the results, the data sets, and the settings of a student. */
import { formatModelId } from '../../../../src/runs/model-id';
import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
import { checkConfig, configFromParams } from '../../../../src/runs/config';
import { DatasetStorage } from '../../../../src/storage/dataset-storage';
import { writeDataset } from '../../../../src/eval/distillation';
import type { EvaluationRun, StoredAnswer } from '../../../../src/storage/evaluation-storage';
import { buildProblems } from '../../../../src/eval/problem-set';
import { namedModel, type ModelChoice } from '../../../../src/ui/pages/chat/models/models';
import { DatasetsState } from '../../../../src/ui/pages/distil/datasets-state.svelte';
import {
  choosesNotation,
  defaultDistilPlan,
  distillationOf,
  distilProblems,
  type DistilPlan,
} from '../../../../src/ui/pages/distil/distil-plan';
import {
  canLearn,
  describeTeacher,
  teachingSource,
  nameForDataset,
  answerRows,
  samplesOf,
  studentParams,
} from '../../../../src/ui/pages/distil/teacher-answers';

const REMOTE = formatModelId({ kind: 'server', server: 's1', model: 'org/big' });
const toy = namedModel('tinythink-1m');
const big: ModelChoice = { ...namedModel(REMOTE), label: 'org/big · host:8000' };
const models = [toy, big];
const plan = (change: Partial<DistilPlan> = {}): DistilPlan => ({ ...defaultDistilPlan(REMOTE), ...change });

describe('the plan', () => {
  it.each<[Partial<DistilPlan>, string]>([
    [{ teacher: 'gone' }, 'Choose a teacher.'],
    [{ teacher: toy.id, task: 'word-problems', difficulty: 2 }, 'Choose a teacher.'],
    [{ difficulty: 99 }, 'difficulty'],
    [{ n: null }, 'number of problems'],
    [{ n: 2001 }, 'number of problems'],
    [{ k: NaN }, 'number of answers per problem'],
    [{ temperature: 9 }, 'temperature'],
    [{ top_p: 0 }, 'Top-p'],
    [{ max_tokens: 0 }, 'Max tokens'],
    [{ concurrency: 0 }, 'Requests at a time'],
    [{ per_minute: 0.5 }, 'Requests per minute'],
  ])('says what is wrong with %j', (change, message) => {
    expect(distilProblems(plan(change), models).join()).toContain(message);
    expect(() => distillationOf(plan(change), models)).toThrow(message);
  });

  it('asks for the short notation if it is chosen, always from toy models, and never in a task without one', () => {
    const notation = (change: Partial<DistilPlan>) => {
      const { source } = distillationOf(plan(change), models);
      return source.kind === 'teaching' ? source.notation : null;
    };
    expect([notation({}), notation({ notation: 'free' })]).toEqual(['short', 'free']);
    expect(notation({ teacher: toy.id, notation: 'free' })).toBe('short');
    expect(notation({ task: 'word-problems', difficulty: 2 })).toBe('free');
    expect(choosesNotation(plan(), models)).toBe(true);
    expect(choosesNotation(plan({ teacher: toy.id }), models)).toBe(false);
    expect(choosesNotation(plan({ task: 'word-problems' }), models)).toBe(false);
  });
});

describe('the answers', () => {
  const run: EvaluationRun = {
    ...{ id: 'ab-12-cd', created: 0, updated: 0 },
    ...distillationOf(plan({ difficulty: 3, n: 2, k: 2, seed: 4 }), models),
    models: [{ id: REMOTE, label: big.label, toy: false, settings: { temperature: 0.6, top_p: 0.9, max_tokens: 50 } }],
  };
  const problems = buildProblems(run.source);
  const answer = (problem: number, sample: number, said = problems[problem]!.answer): StoredAnswer => ({
    ...{ model: 0, problem, sample, text: `<think>1 + ${sample} = 1</think><answer>${said}</answer>` },
    ...{ answer: said, correct: true, tokens: 9, thought_tokens: 5, prompt_tokens: null, finished: true, ms: 1 },
  });
  const answers = [answer(1, 0), answer(0, 1), answer(0, 0, 'no')];

  it('are listed problem by problem with their outcome', () => {
    const rows = answerRows(teachingSource(run)!, problems, answers);
    expect(rows.map(({ problem, sample, refusal }) => [problem, sample, refusal])).toEqual([
      [0, 0, 'wrong'],
      [0, 1, null],
      [1, 0, null],
    ]);
  });

  it('become samples without the address of the teacher', () => {
    const teacher = describeTeacher(run.models[0]!, (id) => (id === 's1' ? 'vllm' : undefined));
    expect(teacher).toEqual({ model: 'org/big', server: 'vllm' });
    expect(describeTeacher(run.models[0]!, () => undefined).server).toBe('a server');
    expect(describeTeacher({ ...run.models[0]!, id: toy.id, label: 'Tiny' }, () => undefined)).toEqual({
      ...{ model: 'Tiny', server: 'this browser' },
    });
    const samples = samplesOf(run, problems, answers, teacher);
    expect(samples.map(({ problem, seed }) => [problem, seed])).toEqual([
      [problems[0]!.prompt, 5],
      [problems[1]!.prompt, 4],
    ]);
    expect(samples[0]).toMatchObject({
      reasoning: '1+1=1',
      sampling: { temperature: 0.6, top_p: 0.9, max_tokens: 50 },
    });
    expect(writeDataset(samples)).not.toContain('host');
    expect(nameForDataset(run, teacher)).toBe('sum-3-org-big-ab12');
  });

  it('are saved, imported, and deleted with undo', async () => {
    const datasets = new DatasetsState(new DatasetStorage('distil-ui'));
    const teacher = { model: 'big', server: 'vllm' };
    const samples = samplesOf(run, problems, answers, teacher);
    const record = await datasets.keep('mine', samples);
    await datasets.keep('mine', samples.slice(1));
    expect(datasets.shown.map(({ name, samples: count }) => [name, count])).toEqual([['mine', 1]]);
    await datasets.take(new File([writeDataset([...samples, ...samples])], 'mine.jsonl'));
    expect(datasets.news).toBe('“mine-2” was imported with 2 samples. 2 duplicates were left out.');
    await datasets.take(new File(['{}'], 'bad.jsonl'));
    expect([datasets.news, datasets.problem]).toEqual(['', 'bad.jsonl: Line 1: “task” is missing.']);
    await datasets.take(new File([Uint8Array.of(0xff, 0xfe, 0xff)], 'bytes.jsonl'));
    expect(datasets.problem).toBe('bytes.jsonl: This isn’t a text file.');
    const file = await datasets.file(datasets.shown.find(({ name }) => name === 'mine-2')!);
    expect(new TextDecoder().decode(file!.bytes)).toBe(writeDataset(samples));
    await datasets.remove(record!);
    expect(datasets.shown).toHaveLength(1);
    await datasets.removal.flush();
    expect(await datasets.file(record!)).toBeNull();
    expect(datasets.problem).toContain('no data set “mine”');
  });

  it('set up a student that can run', () => {
    const record = { name: 'sum-3-big', created: 0, samples: 2, task: 'mul', difficulty: 5, teacher: 'big' };
    const { config, problems } = configFromParams(studentParams(record));
    expect(problems).toEqual([]);
    expect(checkConfig(config)).toEqual([]);
    expect(config).toMatchObject({
      task: 'mul',
      difficulty: 5,
      cold_start_dataset: 'sum-3-big',
      cold_start_steps: 100,
    });
    expect([canLearn('sum'), canLearn('word-problems')]).toEqual([true, false]);
  });
});

describe('the settings', () => {
  it.each([
    ['cold_start_dataset=../x&cold_start_steps=5', 'isn’t the name of a data set'],
    ['cold_start_dataset=a%20b', 'isn’t the name of a data set'],
  ])('refuse %s in a link', (query, message) => {
    const { config, problems } = configFromParams(new URLSearchParams(query));
    expect(config.cold_start_dataset).toBeNull();
    expect(problems[0]!.message).toContain(message);
  });

  it('refuse a run that learns from nothing', () => {
    const { config } = configFromParams(new URLSearchParams('cold_start_steps=5&max_steps=0&cold_start_dataset=a'));
    expect(checkConfig(config)).toEqual([]);
    expect(checkConfig({ ...config, cold_start_dataset: null })).toEqual([]);
    const nothing = checkConfig({ ...config, cold_start_steps: 0 });
    expect(nothing.map(({ field }) => field)).toEqual(['max_steps', 'cold_start_steps']);
  });
});
