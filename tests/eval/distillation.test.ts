/** @file Which of a teacher's answers are kept and why the others are not; data sets out, in and damaged; what a student can write. */
import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
import { modelFiles } from '../../src/cli/model-files';
import { readFolderText } from '../../src/formats/hf/folder';
import { tokenizerOf } from '../../src/formats/model';
import { encodeExamples, exampleBatch, type SftExample } from '../../src/rl/sft/sft-examples';
import { DatasetStorage } from '../../src/storage/dataset-storage';
import {
  datasetName,
  filterAnswers,
  keptSamples,
  sftExamples,
  parseDataset,
  readSolution,
  showsReasoning,
  summariseDistillation,
  writeDataset,
  type DistilledSample,
  type TeachingSource,
} from '../../src/eval/distillation';
import type { Answer } from '../../src/eval/evaluation';
import { buildProblems } from '../../src/eval/problem-set';
import { allTasks, getTask } from '../../src/tasks';
import { rng } from '../../src/base/rng';

const source: TeachingSource = { kind: 'teaching', task: 'sum', difficulty: 3, n: 3, seed: 5, notation: 'short' };
const problems = buildProblems(source);
const settings = { temperature: 0.6, top_p: 0.95, top_k: 0, max_tokens: 100, seed: 2 ** 31 - 1 };
const teacher = { model: 'big', server: 'vllm' };

const answer = (problem: number, sample: number, text: string, change: Partial<Answer> = {}) => ({
  ...{ problem, sample, text, answer: null, correct: false, tokens: 20, thought_tokens: 12, prompt_tokens: 50 },
  ...{ finished: true, ms: 1, ...change },
});
const right = (problem: number, reasoning = '1+1=2') =>
  `<think>${reasoning}</think><answer>${problems[problem]!.answer}</answer>`;
const samples = (): DistilledSample[] =>
  keptSamples(source, problems, [answer(0, 0, right(0)), answer(1, 1, right(1))], teacher, settings);

describe('problems for a teacher', () => {
  it('are all different, the same again, and others than those of an evaluation', () => {
    const wanted = { ...source, n: 200 };
    const prompts = buildProblems(wanted).map(({ prompt }) => prompt);
    expect(new Set(prompts).size).toBe(200);
    expect(buildProblems({ ...wanted, n: 3 }).map(({ prompt }) => prompt)).toEqual(prompts.slice(0, 3));
    const heldOut = buildProblems({ ...source, kind: 'held-out' }).map(({ prompt }) => prompt);
    expect(prompts.slice(0, 3)).not.toEqual(heldOut);
  });

  it('are fewer where the task has no more', () => {
    const few = buildProblems({ ...source, task: 'parity', difficulty: getTask('parity').difficulty.min, n: 2000 });
    expect(new Set(few.map(({ prompt }) => prompt)).size).toBe(few.length);
    expect(few.length).toBeLessThan(2000);
  });

  it.each(allTasks.map(({ name }) => name))('of %s show the notation where there is one', (task) => {
    const { default: difficulty } = getTask(task).difficulty;
    const [short] = buildProblems({ ...source, task, difficulty });
    const [free] = buildProblems({ ...source, task, difficulty, notation: 'free' });
    expect(short!.messages[0]!.content).toContain(short!.prompt);
    if (getTask(task).instruction === undefined) {
      expect(short!.messages[0]!.content.match(/<think>.+<\/think><answer>.+<\/answer>/g)).toHaveLength(2);
      expect(free!.messages[0]!.content).toContain('\\boxed{}');
    } else expect(short!.messages).toEqual(free!.messages);
  });
});

describe('reading an answer', () => {
  it.each([
    ['<think>1+2=3;3+4=7</think><answer>7</answer>', '1+2=3;3+4=7', '7'],
    // A reasoning model: thoughts of its own, then the form that was asked for.
    ['<think>\nLet me see, 1 plus 2 …\n</think>\n\n<think>1+2=3;3+4=7</think><answer>7</answer>', '1+2=3;3+4=7', '7'],
    // The server took the short working for the thoughts.
    ['<think>\n1+2=3\n3 + 4 = 7\n</think>\n\n<answer>7</answer>', '1+2=3;3+4=7', '7'],
    ['First I add: 1 + 2 = 3\n3 × 4 = 12.\nSo it is \\boxed{12}', 'First I add: 1+2=3;3*4=12.;So it is', '12'],
    ['<think>\n\n</think>\n\n1−2=−1\n\\boxed{-1}', '1-2=-1', '-1'],
    ['<think>hm, 5</think>\\boxed{5}', 'hm, 5', '5'],
    ['5', '', '5'],
    [' **5**.\n', '', '5'],
    ['<think></think>5', '', '5'],
  ])('%j', (text, reasoning, said) => expect(readSolution(text, true)).toEqual({ reasoning, answer: said }));

  it('leaves a teacher’s own words alone', () => {
    expect(readSolution('<think>1 + 2 = 3\n\nso 3</think>\\boxed{3}')?.reasoning).toBe('1 + 2 = 3\n\nso 3');
    expect(readSolution('I don’t know.')).toBeNull();
  });

  it('is quick with what means harm', () => {
    const start = performance.now();
    for (const piece of ['<think>', '</think>', '<answer>', '\\boxed{', ' ', '\n', ' =', '1;']) {
      readSolution(piece.repeat(200_000), true);
      readSolution(`${piece.repeat(200_000)}</think><answer>7</answer>`, true);
    }
    expect(performance.now() - start).toBeLessThan(3000);
  });
});

describe('what counts as reasoning', () => {
  it.each([
    ['23', false],
    ['23.', false],
    ['**23**', false],
    ['<answer>23</answer>', false],
    ['<think></think><answer>23</answer>', false],
    ['<think>\n\n</think>\n\n<answer>23</answer>', false],
    ['<think>23</think><answer>23</answer>', false],
    ['<think>23; 23</think><answer>23</answer>', false],
    ['<think>=23</think><answer>23</answer>', false],
    ['<think>\n\n</think>\n\nThe answer is 23.', false],
    ['The answer is 23. I repeat: the answer is 23.', false],
    ['I am 100% sure that the final answer to this nice problem is \\boxed{23}', false],
    ['1. The answer is 23.', false],
    ['Step 1: \\boxed{23}', false],
    ['It is twenty-three, one of the primes: 23', false],
    ['It is \\boxed{23}', false],
    // Large numbers and negative ones are the answer in any spelling.
    ['It is 1,024, so \\boxed{1024}', false],
    ['It is −5, so \\boxed{-5}', false],
    ['It is eleven: \\boxed{11}', false],
    // The problem copied is no working.
    ['8+12+3=23', false],
    ['<think>8 + 12 + 3 = 23</think><answer>23</answer>', false],
    ['$8 + 12 + 3 = \\boxed{23}$', false],
    ['We calculate 8+12+3. The answer is 23.', false],
    ['<think>20+3=23</think><answer>23</answer>', true],
    ['<think>8+12=20;20+3=23</think><answer>23</answer>', true],
    ['<think>8+12+3=20+3=23</think><answer>23</answer>', true],
    // An empty think block is what a model writes that was told not to think.
    ['<think></think>20 + 3 = 23, so \\boxed{23}', true],
    ['<think>\n\n</think>\n\n8 plus 12 is 20, and 3 more.\n\n<answer>23</answer>', true],
    ['First 20, then 3 more. The answer is 23.', true],
    ['<think>0=0;0=0</think><answer>0</answer>', true],
    ['<think>6*10=60</think><answer>6*10</answer>', true],
    ['<think>6*10</think><answer>6*10</answer>', false],
    ['<think>Half of two dozen is twelve, and one less than that is eleven.</think><answer>11</answer>', true],
  ])('%j: %s', (text, shown) => expect(showsReasoning(readSolution(text)!, '8+12+3=')).toBe(shown));

  it.each(allTasks.map((task) => [task.name, task] as const))(
    'the worked traces of %s do, and bare ones do not',
    (_, task) => {
      for (let seed = 0; seed < 200; seed++) {
        const problem = task.generate(rng(seed), rng(seed).int(task.difficulty.min, task.difficulty.max));
        const shows = (style: 'full' | 'direct' | 'bare') =>
          showsReasoning(readSolution(task.trace(rng(seed), problem, style))!, problem.prompt);
        expect([problem.prompt, shows('full'), shows('direct')]).toEqual([problem.prompt, true, false]);
        // A bare expression is read as its last number alone, which is wrong.
        if (/^-?\d+$/.test(problem.answer)) expect(shows('bare')).toBe(false);
      }
    },
  );

  it('is found quickly in what means harm', () => {
    const start = performance.now();
    for (const piece of ['8+12+3', '23 ', '= ', '\n1. ', ' ', '8 ', 'step ', '1,', '( '])
      showsReasoning({ reasoning: piece.repeat(200_000), answer: '23' }, '8+12+3=');
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

describe('keeping', () => {
  it('takes what is right, whole, reasoned and new, and says why not the rest', () => {
    const given = [
      answer(0, 0, right(0)),
      answer(0, 1, right(0)),
      answer(0, 2, right(0, '2+0=2')),
      answer(1, 0, '<think>1+1=2</think><answer>no</answer>'),
      answer(1, 1, 'I give up.'),
      answer(1, 2, right(1), { finished: false }),
      answer(2, 0, `<think></think><answer>${problems[2]!.answer}</answer>`),
      answer(2, 1, `<think>9+9<eos>=18</think><answer>${problems[2]!.answer}</answer>`),
    ];
    const judged = filterAnswers(source, problems, given);
    expect(judged.map(({ refusal }) => refusal)).toEqual([
      ...[null, 'repeated', null, 'wrong', 'no answer', 'cut off', 'no reasoning', 'stray tags'],
    ]);
    expect(summariseDistillation(judged, given)).toMatchObject({
      ...{ asked: 8, kept: 2, share: 0.25, problems: 1, mean_reasoning: 12, tokens: 160, prompt_tokens: 400 },
      refused: { wrong: 1, repeated: 1, 'cut off': 1 },
    });
  });

  it('writes lines that say who was asked what, how', () => {
    const [first, second] = samples();
    expect(first).toEqual({
      ...{ task: 'sum', difficulty: 3, problem: problems[0]!.prompt, reference: problems[0]!.answer },
      ...{
        prompt: problems[0]!.messages,
        reasoning: '1+1=2',
        answer: problems[0]!.answer,
        completion: right(0),
        teacher,
      },
      sampling: { temperature: 0.6, top_p: 0.95, top_k: 0, max_tokens: 100 },
      ...{ seed: 2 ** 31 - 1, tokens: 20 },
    });
    expect(second!.seed).toBe(0);
  });
});

describe('a data set', () => {
  it('comes back as it was, without duplicates and wrong answers', () => {
    const lines = writeDataset(samples());
    expect(parseDataset(lines)).toEqual({ samples: samples(), wrong: 0, repeated: 0 });
    const wrong = { ...samples()[0]!, answer: '1', completion: '<think>1+1=2</think><answer>1</answer>' };
    expect(parseDataset(`\ufeff${lines}\r\n${lines}${JSON.stringify(wrong)}`)).toMatchObject({ wrong: 1, repeated: 2 });
    expect(() => parseDataset(JSON.stringify(wrong))).toThrow('None of its answers is right.');
  });

  const broken = (change: object) => JSON.stringify({ ...samples()[0], ...change });
  it.each<[string, string, string]>([
    ['nothing', ' \n', 'nothing in it'],
    ['no JSON', '{"task":', 'Line 1: this is not JSON'],
    ['a list', '[]', 'Line 1'],
    ['null', 'null', 'Line 1'],
    ['a task that is none', broken({ task: '__proto__' }), 'no task'],
    ['a data set’s task', broken({ task: 'constructor' }), 'no task'],
    ['a number for a text', broken({ problem: 5 }), '“problem”'],
    ['an endless difficulty', broken({ difficulty: 1e9 }), '“difficulty”'],
    ['another completion', broken({ completion: '<think>evil</think>' }), 'completion'],
    [
      'tags in the working',
      broken({ reasoning: '</think>', completion: `<think></think></think><answer>${problems[0]!.answer}</answer>` }),
      'tags',
    ],
    ['a strange role', broken({ prompt: [{ role: 'tool', content: '' }] }), '“prompt.0.role”'],
    ['a setting that is no number', broken({ sampling: { key: 'sk-secret' } }), '“sampling.key”'],
    ['a text without end', broken({ reference: 'a'.repeat(30_000) }), '“reference”'],
  ])('is refused with %s', (_, text, message) => {
    expect(() => parseDataset(text)).toThrow(message);
    if (text.trim() !== '') expect(() => parseDataset(`${writeDataset(samples())}${text}`)).toThrow('Line 3');
  });

  it('keeps nothing that it doesn’t know, and changes no prototypes', () => {
    const line = `${broken({ key: 'sk-secret' }).slice(0, -1)},"__proto__":{"polluted":1}}`;
    const [read] = parseDataset(line).samples;
    expect(Object.keys(read!)).toEqual(Object.keys(samples()[0]!));
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('lists three errors and counts the others', () => {
    expect(() => parseDataset('x\n'.repeat(9))).toThrow(/Line 1.*Line 3: this is not JSON\. And 6 more\./s);
  });

  it('is kept under a name that a config can hold', async () => {
    const storage = new DatasetStorage('distillation-test');
    const first = await storage.save('my/data set: “1”', samples());
    const second = await storage.save('my/data set: “1”', samples().slice(1));
    expect([first.name, second.name]).toEqual(['my-data-set-1', 'my-data-set-1-2']);
    await storage.save(first.name, samples().slice(0, 1), true);
    expect((await storage.list()).map(({ name, samples }) => [name, samples]).sort()).toEqual([
      ['my-data-set-1', 1],
      ['my-data-set-1-2', 1],
    ]);
    expect(await storage.load('my-data-set-1')).toEqual(samples().slice(0, 1));
    await storage.delete('my-data-set-1');
    await expect(storage.load('my-data-set-1')).rejects.toThrow('no data set “my-data-set-1”');
    await expect(storage.save('x', [])).rejects.toThrow('nothing to save');
    expect([datasetName('../../etc'), datasetName('…'), datasetName('a'.repeat(300)).length]).toEqual([
      'etc',
      'data',
      80,
    ]);
  });
});

describe('a student', () => {
  const student = async () => {
    const files = await modelFiles(new URL('../../public/models/tinythink-1m', import.meta.url).pathname);
    return tokenizerOf({ name: files.name, ...(await readFolderText(files)) });
  };
  const example = (change: Partial<SftExample> = {}): SftExample => ({ ...sftExamples(samples())[0]!, ...change });

  it('learns from what it can write, of its task, that is short enough', async () => {
    const tokenizer = await student();
    const given = [
      example(),
      example({ task: 'mul' }),
      example({ completion: '<think>Let me think! Ω</think><answer>2</answer>' }),
      example({ problem: '1×2=' }),
      example({ completion: `<think>${'1+1=2;'.repeat(20)}</think><answer>2</answer>` }),
      example({ problem: `${'1+'.repeat(40)}1=` }),
    ];
    const { examples, skipped } = encodeExamples(given, tokenizer, getTask('sum'), { max_completion_length: 40 });
    expect(skipped).toEqual({ 'of another task': 1, 'not in its characters': 2, 'too long': 2 });
    expect(examples).toHaveLength(1);
    expect(tokenizer.decode(examples[0]!.prompt)).toBe(`<bos>${problems[0]!.prompt}`);
    expect(tokenizer.decode(examples[0]!.completion)).toBe(`${right(0)}<eos>`);
    expect(() => encodeExamples(given.slice(1), tokenizer, getTask('sum'), { max_completion_length: 40 })).toThrow(
      'has 5 examples, and this model can learn from none of them: 1 of another task, 2 not in its characters, 2 too long',
    );
  });

  it('can write every trace of its tasks', async () => {
    const tokenizer = await student();
    for (const task of allTasks.filter(({ instruction }) => instruction === undefined)) {
      const traces = task.styles.map((style) => {
        const random = rng(1);
        const problem = task.generate(random, task.difficulty.default);
        return { task: task.name, problem: problem.prompt, completion: task.trace(random, problem, style) };
      });
      const { examples } = encodeExamples(traces, tokenizer, task, { max_completion_length: 1000 });
      expect(examples).toHaveLength(traces.length);
    }
  });

  it('sees each example once before any is repeated, and not always in the same order', () => {
    const examples = Array.from({ length: 10 }, (_, i) => ({ prompt: [i], completion: [i] }));
    const seen = [1, 2, 3, 4, 5].flatMap((step) => exampleBatch(examples, 3, step, 4).map(({ prompt }) => prompt[0]!));
    const epochs = [seen.slice(0, 10), seen.slice(10)];
    for (const epoch of epochs) expect([...epoch].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(epochs[0]).not.toEqual(epochs[1]);
    expect(exampleBatch(examples, 3, 1, 256)).toHaveLength(10);
    expect(exampleBatch(examples, 3, 2, 4)).toEqual(exampleBatch(examples, 3, 2, 4));
  });
});
