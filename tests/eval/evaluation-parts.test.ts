/** @file What an evaluation is made of: problem files, the pace, storage, exports. */
import 'fake-indexeddb/auto';
import { describe, expect, it, vi } from 'vitest';
import { answerOnce, majority, summarise, type Answer } from '../../src/eval/evaluation';
import { byProblem, csvCell, exportCsv, exportJson } from '../../src/storage/evaluation-export';
import { EvaluationStorage, type EvaluationRun, type StoredAnswer } from '../../src/storage/evaluation-storage';
import { evaluateMissing, type EvaluatorOptions } from '../../src/eval/evaluator';
import { bareMessages, buildProblems } from '../../src/eval/problem-set';
import type { GenerateRequest, ChatModel, ChatToken } from '../../src/runs/chat-model';
import { parseProblems, ProblemFileError } from '../../src/eval/problem-file';

describe('parseProblems', () => {
  it('reads the lines of AIME, MATH-500 and GSM8K', () => {
    const text = [
      '\ufeff{"problem": "Find $x$.", "solution": "long", "answer": "\\\\frac{1}{2}"}',
      '',
      '{"question": "How many?", "answer": "2+2 = <<2+2=4>>4\\n#### 4"}',
      '{"Problem": "AIME", "Answer": 73}\r',
      '{"prompt": "Boxed", "answer": "so \\\\boxed{(1,2)}."}',
    ].join('\n');
    expect(parseProblems(text)).toEqual([
      { problem: 'Find $x$.', answer: '\\frac{1}{2}' },
      { problem: 'How many?', answer: '4' },
      { problem: 'AIME', answer: '73' },
      { problem: 'Boxed', answer: '(1,2)' },
    ]);
  });

  it.each([
    ['98765432109876543210', '98765432109876543210'],
    ['9007199254740993', '9007199254740993'],
    ['0.10', '0.10'],
    ['1e-7', '1e-7'],
    ['"a \\"5\\" 1"', 'a "5" 1'],
  ])('takes a number digit for digit, %s', (written, answer) => {
    expect(parseProblems(`{"level": 5, "problem": "p 1", "answer": ${written}}`)).toEqual([{ problem: 'p 1', answer }]);
  });

  it.each([
    ['{"problem": "a", "answer": "1"}\nnot json', 'Line 2: this is not JSON.'],
    ['[1]', 'Line 1: an object is expected'],
    ['{"answer": "1"}', 'Line 1: there is no text in “problem”'],
    ['{"problem": {}, "answer": "1"}', 'Line 1: there is no text in “problem”'],
    ['{"__proto__": {"problem": "a"}, "answer": "1"}', 'Line 1: there is no text in “problem”'],
    ['{"problem": 5, "answer": "1"}', 'Line 1: there is no text in “problem”'],
    ['{"problem": "a", "answer": ["1"]}', 'Line 1: “answer” must be a text or a number.'],
    ['{"problem": "a", "answer": "#### "}', 'Line 1: there is no final answer'],
    [`{"problem": "${'a'.repeat(20_001)}", "answer": "1"}`, 'Line 1: a text is longer'],
    ['a\nb\nc\nd\ne', 'Line 3: this is not JSON. And 2 more.'],
    ['\n\n', 'There is no problem in it'],
    ['{"problem":"a","answer":1}\n'.repeat(10_001), 'more than 10000 problems'],
  ])('refuses %.40s', (text, message) => {
    expect(() => parseProblems(text)).toThrow(ProblemFileError);
    expect(() => parseProblems(text)).toThrow(message);
  });
});

/** A policy that says these tokens. */
const saying = (tokens: ChatToken[]): ChatModel => ({
  name: 'saying',
  async *generate() {
    yield* tokens;
  },
});

const problems = buildProblems({ kind: 'file', name: 'x', problems: [{ problem: 'What is 6 × 7?', answer: '42' }] });
const request = { max_tokens: 20, temperature: 1, top_k: 0, top_p: 1, seed: 3 };
const never = new AbortController().signal;
const once = (tokens: ChatToken[]) => answerOnce(saying(tokens), problems[0]!, problems[0]!.messages, request, never);

describe('answerOnce', () => {
  it('counts thoughts up to their end, and believes a server that counts', async () => {
    const tokens = ['<think>', 'a', 'b', '</', 'think>', 'It is ', '\\boxed{42}'].map((text) => ({ text }));
    expect(await once(tokens)).toMatchObject({
      correct: true,
      answer: '42',
      tokens: 7,
      thought_tokens: 5,
      finished: true,
    });
    const server = { prompt_tokens: 9, completion_tokens: 14 };
    const counted = await once([...tokens, { text: '', finish: 'stop', server }]);
    expect(counted).toMatchObject({ tokens: 14, thought_tokens: 10, prompt_tokens: 9 });
    const told = await once([...tokens, { text: '', finish: 'stop', server: { ...server, reasoning_tokens: 11 } }]);
    expect(told).toMatchObject({ thought_tokens: 11 });
  });

  it('knows a cut answer, and one without thoughts', async () => {
    expect(await once([{ text: '<think>6' }, { text: ' 7', finish: 'length' }])).toMatchObject({
      finished: false,
      thought_tokens: 2,
      correct: false,
    });
    expect(await once([{ text: '42' }])).toMatchObject({ thought_tokens: 0, finished: true, prompt_tokens: null });
  });
});

const answer = (given: string | null, correct: boolean): Answer => ({
  text: `I say ${given}`,
  answer: given,
  correct,
  tokens: 10,
  thought_tokens: 4,
  prompt_tokens: 5,
  finished: true,
  ms: 12.4,
});

describe('majority', () => {
  it('takes the most frequent, however it is written, and the first of equals', () => {
    expect(majority([answer('1', false), answer('0.5', true), answer('\\frac12', true)])?.answer).toBe('0.5');
    expect(majority([answer('1', false), answer('2', true)])?.answer).toBe('1');
    expect(majority([answer(null, false)])).toBeNull();
  });

  it('sums up only what was answered', () => {
    const summary = summarise([{ answers: [answer('1', true)] }, { answers: [] }, { answers: [answer('2', false)] }]);
    expect(summary).toMatchObject({ problems: 2, pass_at_1: 0.5, total_tokens: 20, total_prompt_tokens: 10 });
    expect(() => summarise([{ answers: [] }])).toThrow(RangeError);
  });
});

describe('evaluateMissing', () => {
  const three = buildProblems({ kind: 'task', task: 'sum', difficulty: 3, n: 3, seed: 1 });

  /** Answers `1` after a turn of the event loop, and notes how many it writes at once. */
  function counting(fail: (call: number) => boolean = () => false) {
    const seen = { requests: [] as GenerateRequest[], at: [] as number[], most: 0, now: 0 };
    const policy: ChatModel = {
      name: 'counting',
      async *generate(asked, signal) {
        seen.requests.push(asked);
        seen.at.push(Date.now());
        seen.most = Math.max(seen.most, ++seen.now);
        try {
          await new Promise((resolve) => setTimeout(resolve, 5));
          if (signal.aborted) return;
          if (fail(seen.requests.length)) throw new Error(`failure ${seen.requests.length}`);
          yield { text: '1', finish: 'stop' };
        } finally {
          seen.now--;
        }
      },
    };
    return { policy, seen };
  }

  const options = (change: Partial<EvaluatorOptions> = {}): EvaluatorOptions => ({
    problems: three,
    k: 2,
    request,
    messages: bareMessages,
    pace: { concurrency: 1, per_minute: null },
    isDone: () => false,
    onAnswer: () => {},
    ...change,
  });

  it('asks what is missing and nothing else, each sample with a seed of its own', async () => {
    const { policy, seen } = counting();
    const got: string[] = [];
    await evaluateMissing(
      policy,
      options({
        isDone: ({ problem, sample }) => problem === 0 || sample === 1,
        onAnswer: ({ problem, sample }) => void got.push(`${problem}.${sample}`),
      }),
      never,
    );
    expect(got).toEqual(['1.0', '2.0']);
    await evaluateMissing(policy, options({ problems: three.slice(0, 1) }), never);
    expect(seen.requests.slice(2).map(({ seed }) => seed)).toEqual([3, 4]);
    expect(seen.requests[0]!.messages).toEqual([{ role: 'user', content: three[1]!.prompt }]);
    expect(seen.most).toBe(1);
  });

  it('writes several at once, and no more', async () => {
    const { policy, seen } = counting();
    let answers = 0;
    await evaluateMissing(
      policy,
      options({ pace: { concurrency: 4, per_minute: null }, onAnswer: () => void answers++ }),
      never,
    );
    expect(seen.most).toBe(4);
    expect(answers).toBe(6);
  });

  it('keeps the pace, however many are at work', async () => {
    vi.useFakeTimers();
    const { policy, seen } = counting();
    const done = evaluateMissing(policy, options({ pace: { concurrency: 4, per_minute: 60 } }), never);
    await vi.advanceTimersByTimeAsync(20_000);
    await done;
    vi.useRealTimers();
    const gaps = seen.at.slice(1).map((time, i) => time - seen.at[i]!);
    expect(gaps).toHaveLength(5);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1000);
  });

  it('leaves out what fails, and gives up after three in a row', async () => {
    const some = counting((call) => call % 2 === 0);
    const failed: unknown[] = [];
    let answers = 0;
    const told = options({ onFailure: (slot) => void failed.push(slot), onAnswer: () => void answers++ });
    await evaluateMissing(some.policy, told, never);
    expect([answers, failed.length]).toEqual([3, 3]);
    const all = counting(() => true);
    await expect(evaluateMissing(all.policy, options(), never)).rejects.toThrow('failure 3');
    expect(all.seen.requests).toHaveLength(3);
  });

  it('ends when told to, in the middle of waiting too', async () => {
    const { policy, seen } = counting();
    const abort = new AbortController();
    const pace = { concurrency: 2, per_minute: 1 };
    await evaluateMissing(policy, options({ pace, onAnswer: () => abort.abort() }), abort.signal);
    expect(seen.requests).toHaveLength(1);
  });

  it('ends when an answer can’t be kept', async () => {
    const { policy, seen } = counting();
    const onAnswer = () => Promise.reject(new Error('full'));
    await expect(evaluateMissing(policy, options({ onAnswer }), never)).rejects.toThrow('full');
    expect(seen.requests).toHaveLength(1);
  });
});

const run: EvaluationRun = {
  id: 'r1',
  created: Date.UTC(2026, 0, 2),
  updated: 1,
  source: { kind: 'file', name: 'aime 24.jsonl', problems: [{ problem: 'What is 6 × 7?', answer: '42' }] },
  k: 2,
  seed: 0,
  sampling: { temperature: 0.6 },
  pace: { concurrency: 4, per_minute: null },
  models: [{ id: 'remote:abc:m', label: 'm on host', toy: false, settings: null }],
};
const stored = (sample: number, given: string, correct: boolean): StoredAnswer => ({
  ...answer(given, correct),
  model: 0,
  problem: 0,
  sample,
});

describe('EvaluationStorage', () => {
  it('keeps evaluations and their answers apart, and deletes both', async () => {
    const storage = new EvaluationStorage('eval-test');
    await storage.save(run);
    await storage.save({ ...run, id: 'r10', created: run.created + 1 });
    await storage.saveAnswer('r1', stored(1, '7', false));
    await storage.saveAnswer('r1', stored(0, '42', true));
    await storage.saveAnswer('r10', stored(0, '41', false));
    expect((await storage.list()).map(({ id }) => id)).toEqual(['r10', 'r1']);
    expect(await storage.get('r1')).toEqual(run);
    expect((await storage.answers('r1')).map(({ answer: said }) => said)).toEqual(['42', '7']);
    await storage.delete('r1');
    expect(await storage.answers('r1')).toEqual([]);
    expect(await storage.answers('r10')).toHaveLength(1);
    expect(await storage.get('r1')).toBeUndefined();
  });

  it('leaves out of the list what it can’t read, and says why when it is opened', async () => {
    const storage = new EvaluationStorage('eval-odd');
    await storage.save({ ...run, k: 0 });
    expect(await storage.list()).toEqual([]);
    await expect(storage.get('r1')).rejects.toThrow('its “k” is missing or wrong');
  });
});

describe('exports', () => {
  const answers = [stored(1, '=HYPERLINK("evil")', false), stored(0, '42', true)];

  it('CSV has a line for each answer, and no formulas', () => {
    const { name, bytes } = exportCsv(run, problems, answers);
    expect(name).toBe('evaluation-aime_24-2026-01-02.csv');
    const lines = new TextDecoder().decode(bytes).trim().split('\n');
    expect(lines[1]).toBe('m on host,1,What is 6 × 7?,42,1,42,true,true,10,4,5,12');
    expect(lines[2]).toContain('"\'=HYPERLINK(""evil"")"');
    expect([csvCell('-4'), csvCell('-4+x'), csvCell('+1,000'), csvCell('a\nb'), csvCell(null)]).toEqual([
      '-4',
      "'-4+x",
      '"+1,000"',
      '"a\nb"',
      '',
    ]);
  });

  it('JSON has it all, and nothing of where a server is', () => {
    const text = new TextDecoder().decode(exportJson(run, problems, answers).bytes);
    const parsed = JSON.parse(text) as { models: { summary: { pass_at_1: number } }[]; answers: unknown[] };
    expect(parsed.models[0]!.summary.pass_at_1).toBe(0.5);
    expect(parsed.answers).toHaveLength(2);
    expect(text).not.toContain('abc');
  });

  it('byProblem brings answers in order', () => {
    expect(byProblem(answers).map((each) => each.answers.map(({ sample }) => sample))).toEqual([[0, 1]]);
  });
});
