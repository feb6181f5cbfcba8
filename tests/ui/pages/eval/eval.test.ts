/** @file The logic of the Eval page: the form, asking the models, resuming, and the results. */
import { formatModelId } from '../../../../src/runs/model-id';
import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, it } from 'vitest';
import { EvaluationStorage } from '../../../../src/storage/evaluation-storage';
import type { GenerateRequest } from '../../../../src/runs/chat-model';
import { namedModel, type ModelChoice } from '../../../../src/ui/pages/chat/models/models';
import type { OpenChatModel } from '../../../../src/ui/pages/chat/models/open-models.svelte';
import { evaluationName } from '../../../../src/ui/pages/eval/run/evaluation-name';
import { EvaluationState, type NewEvaluation } from '../../../../src/ui/pages/eval/run/evaluation-state.svelte';
import {
  canAnswer,
  evaluationOf,
  defaultEvalPlan,
  planProblems,
  readProblemFile,
  type EvalPlan,
} from '../../../../src/ui/pages/eval/form/eval-plan';
import {
  formatCount,
  formatInterval,
  formatShare,
  matchesFilter,
  modelResults,
  problemRows,
} from '../../../../src/ui/pages/eval/results/results';

const REMOTE = formatModelId({ kind: 'server', server: 's1', model: 'big' });
const toy = namedModel('tinythink-1m');
const big: ModelChoice = { ...namedModel(REMOTE), label: 'big · host' };
const models = [toy, big];

let count = 0;
let storage: EvaluationStorage;
beforeEach(() => (storage = new EvaluationStorage(`eval-ui-${++count}`)));

const wanted = (change: Partial<NewEvaluation> = {}): NewEvaluation => ({
  source: {
    kind: 'file',
    name: 'mine.jsonl',
    problems: [
      { problem: 'One?', answer: '1' },
      { problem: 'Two?', answer: '2' },
      { problem: 'Three?', answer: '3' },
    ],
  },
  k: 2,
  seed: 7,
  sampling: { temperature: 0.3 },
  pace: { concurrency: 2, per_minute: null },
  models: [big],
  ...change,
});

/** Answers 1 to everything, records what it was asked, and fails after `limit` answers. */
function policies(limit = Infinity) {
  const asked: GenerateRequest[] = [];
  const opened: string[] = [];
  const seen = { closed: 0, limit };
  const open = (model: { id: string }): Promise<OpenChatModel> => {
    opened.push(model.id);
    if (model.id === 'broken') return Promise.reject(new Error('It is broken.'));
    return Promise.resolve({
      name: model.id,
      sampling: { top_k: 20 },
      close: () => void seen.closed++,
      async *generate(request) {
        asked.push(request);
        await Promise.resolve();
        if (asked.length > seen.limit) throw new Error('No more.');
        yield { text: '<think>hm</think>', notice: 'No top-k here.' };
        yield { text: '\\boxed{1}', finish: 'stop' };
      },
    });
  };
  return { asked, opened, seen, open };
}

describe('EvaluationState', () => {
  it('asks each model in its own form, and stores each answer', async () => {
    const { asked, opened, seen, open } = policies();
    const evals = new EvaluationState(storage, open, () => 'e1');
    expect(await evals.start(wanted({ models: [toy, big] }))).toBe('e1');
    await evals.resume();
    expect([opened, seen.closed]).toEqual([['tinythink-1m', REMOTE], 2]);
    expect(evals.isDone).toBe(true);
    expect(evals.notices).toEqual(['No top-k here.']);
    expect(asked[0]!.messages).toEqual([{ role: 'user', content: 'One?' }]);
    expect(asked[6]!.messages[0]!.content).toContain('One?\n\nPlease reason');
    expect(asked[6]).toMatchObject({ temperature: 0.3, top_k: 20, top_p: 0.95, max_tokens: 2048, seed: 7 });
    const kept = (await storage.list())[0]!;
    expect(kept.models.map((model) => model.settings?.['max_tokens'])).toEqual([112, 2048]);
    expect(await storage.answers('e1')).toHaveLength(12);
    expect(modelResults(evals.run!, evals.problems, evals.answers)[1]!.summary).toMatchObject({
      pass_at_1: 1 / 3,
      mean_thought_tokens: 1,
    });
  });

  it('resumes after a reload with the same settings, and asks only for what is missing', async () => {
    const first = policies(2);
    const evals = new EvaluationState(storage, first.open, () => 'e2');
    await evals.start(wanted());
    await evals.resume();
    expect(evals.failures[0]).toMatchObject({ answers: 4, message: 'No more.' });
    expect(evals.answers).toHaveLength(2);

    const second = policies();
    const later = new EvaluationState(storage, second.open);
    await later.show('e2');
    expect([later.answers.length, later.total, second.asked.length]).toEqual([2, 6, 0]);
    await later.resume();
    expect(second.asked).toHaveLength(4);
    expect(second.asked.map(({ seed }) => seed)).toEqual([7, 8, 7, 8]);
    expect(later.isDone).toBe(true);
    await later.resume();
    expect(second.asked).toHaveLength(4);
  });

  it('a model that can’t be opened doesn’t stop the others', async () => {
    const { open } = policies();
    const evals = new EvaluationState(storage, open);
    await evals.start(wanted({ models: [{ id: 'broken', label: 'Broken', toy: false }, big] }));
    await evals.resume();
    expect(evals.failures).toEqual({ 0: { answers: 6, message: 'It is broken.' } });
    expect(evals.answers).toHaveLength(6);
  });

  it('stops, shows nothing, and deletes with undo', async () => {
    const { open } = policies();
    const evals = new EvaluationState(storage, open, () => 'e3');
    await evals.start(wanted());
    await evals.stop();
    expect(evals.progress).toBeNull();
    await evals.show(null);
    expect([evals.run, evals.answers.length]).toEqual([null, 0]);
    await evals.load();
    await evals.list.remove(evals.list.all[0]!);
    expect(evals.list.shown).toEqual([]);
    await evals.list.removal.flush();
    await evals.show('e3');
    expect(evals.problem).toContain('no longer on this device');
    expect(await storage.answers('e3')).toEqual([]);
  });

  it('names an evaluation after its problems', () => {
    const run = { ...wanted(), id: 'x', created: 0, updated: 0, models: [] };
    expect(evaluationName(run)).toBe('mine: 3 problems × 2 answers');
    const source = { kind: 'task', task: 'sum', difficulty: 4, n: 1, seed: 0 } as const;
    expect(evaluationName({ ...run, source, k: 1 })).toBe('Chain sums, difficulty 4: 1 problem');
  });
});

describe('the plan', () => {
  const plan = (change: Partial<EvalPlan> = {}): EvalPlan => ({
    ...defaultEvalPlan('sum'),
    models: [REMOTE],
    ...change,
  });
  const file = { name: 'a.jsonl', problems: [{ problem: 'a', answer: '1' }] };

  it.each<[Partial<EvalPlan>, string]>([
    [{ models: [] }, 'Choose a model.'],
    [{ n: 0 }, 'number of problems'],
    [{ n: 2001 }, 'number of problems'],
    [{ k: null }, 'number of answers'],
    [{ k: NaN }, 'number of answers'],
    [{ difficulty: 99 }, 'difficulty'],
    [{ temperature: -1 }, 'temperature'],
    [{ top_p: NaN }, 'Top-p'],
    [{ max_tokens: 1.5 }, 'Max tokens'],
    [{ concurrency: 33 }, 'Requests at a time'],
    [{ per_minute: 0 }, 'Requests per minute'],
    [{ kind: 'file' }, 'Choose a file'],
    [{ models: ['gone'] }, 'Choose a model.'],
    [{ task: 'word-problems', models: [toy.id], difficulty: 3 }, 'Choose a model.'],
  ])('%o: %s', (change, message) => {
    expect(planProblems(plan(change), null, models).join()).toContain(message);
    expect(() => evaluationOf(plan(change), null, models)).toThrow(message);
  });

  it('lists everything that is wrong at once', () => {
    expect(planProblems(plan({ n: 0, k: null, models: [] }), null, models)).toEqual([
      'The number of problems must be a whole number from 1 to 2,000.',
      'Choose a model.',
      'The number of answers per problem must be a whole number from 1 to 64.',
    ]);
  });

  it('becomes an evaluation; empty fields are left to the models', () => {
    expect(evaluationOf(plan({ n: 5, max_tokens: 64 }), null, models)).toEqual({
      source: { kind: 'held-out', task: 'sum', difficulty: 8, n: 5 },
      k: 1,
      seed: 0,
      sampling: { max_tokens: 64 },
      pace: { concurrency: 4, per_minute: null },
      models: [{ id: REMOTE, label: 'big · host', toy: false }],
    });
    const own = evaluationOf(plan({ kind: 'file', n: 1 }), file, models);
    expect(own.source).toEqual({ kind: 'file', ...file });
    expect(planProblems(plan({ kind: 'file', n: 2 }), file, models).join()).toContain('from 1 to 1');
  });

  it('offers toy models only what they know', () => {
    expect([
      canAnswer(toy, plan()),
      canAnswer(toy, plan({ kind: 'file' })),
      canAnswer(big, plan({ kind: 'file' })),
    ]).toEqual([true, false, true]);
  });

  it('reads a file, and says which one it can’t read and where', async () => {
    const jsonl = (text: string | Uint8Array<ArrayBuffer>) => new File([text], 'x.jsonl');
    expect((await readProblemFile(jsonl('{"problem":"a","answer":2}'))).problems).toEqual([
      { problem: 'a', answer: '2' },
    ]);
    await expect(readProblemFile(jsonl('{"problem":"a"}'))).rejects.toThrow('x.jsonl: Line 1: “answer”');
    await expect(readProblemFile(jsonl(new Uint8Array([0xff, 0xfe, 0])))).rejects.toThrow('x.jsonl isn’t a text file.');
  });
});

describe('the results', () => {
  it('show which answers are wrong and where models differ', async () => {
    const { open } = policies();
    const evals = new EvaluationState(storage, open);
    await evals.start(wanted({ models: [toy, big] }));
    await evals.resume();
    const answers = evals.answers.filter(({ model, problem }) => !(model === 0 && problem === 2));
    const changed = answers.map((each) =>
      each.model === 1 && each.problem === 0 ? { ...each, correct: false } : each,
    );
    const rows = problemRows(evals.run!, evals.problems, changed);
    expect(
      rows.map(({ cells }) => cells.map(({ right, answers: all, commonest }) => [right, all.length, commonest])),
    ).toEqual([
      [
        [2, 2, '1'],
        [0, 2, '1'],
      ],
      [
        [0, 2, '1'],
        [0, 2, '1'],
      ],
      [
        [0, 0, null],
        [0, 2, '1'],
      ],
    ]);
    const found = (filter: Parameters<typeof matchesFilter>[1]) =>
      rows.filter((row) => matchesFilter(row, filter)).map(({ index }) => index);
    expect([found('all'), found('wrong'), found('different')]).toEqual([[0, 1, 2], [0, 1, 2], [0]]);
    expect(modelResults(evals.run!, evals.problems, [])[0]).toMatchObject({ summary: null, done: 0, total: 6 });
  });

  it('are formatted briefly', () => {
    expect([0, 1, 0.725, 0.27].map(formatShare)).toEqual(['0%', '100%', '72.5%', '27.0%']);
    expect(formatInterval([0.1, 0.25])).toBe('10.0% to 25.0%');
    expect([0, 12.4, 9999, 9999.5, 123_456, 999_500, 4_100_000].map(formatCount)).toEqual([
      '0',
      '12',
      '9,999',
      '10.0k',
      '123k',
      '1.0M',
      '4.1M',
    ]);
  });
});
