/** @file What the tasks, the reading of completions, the rewards and the config's table give, as plain JSON. */
import { finalAnswer, parseChatCompletion, parseCompletion } from '../../src/tasks/answer';
import { scoreCompletion } from '../../src/rl/rewards';
import { defaultRunConfig } from '../../src/runs/config';
import { describeField, fieldKeys } from '../../src/runs/fields';
import { allTasks } from '../../src/tasks';
import { rng } from '../../src/base/rng';
import type { Problem, Task } from '../../src/tasks/task';

const KEYS = [[], [0], [7, 1, 3], [2, 5], [0, 1, 160], [4294967295, 1, 2], [2 ** 40 + 3, 9], [-5, 12]];
const LIMIT = 112;
const REWARDS = { reward_funcs: ['accuracy', 'format', 'length'], reward_weights: [1, 0.2, -0.5] };

function streams() {
  return KEYS.map((keys) => {
    const random = rng(...keys);
    return {
      keys,
      next: Array.from({ length: 4 }, () => random.next()),
      ints: Array.from({ length: 4 }, () => random.int(-3, 1000)),
      shuffled: random.shuffle([1, 2, 3, 4, 5, 6, 7]),
    };
  });
}

/** Several problems from one stream, as a step draws them: a difference in how much is drawn shows in the next. */
function problems(task: Task) {
  const { min, max, default: usual } = task.difficulty;
  return [...new Set([min, usual, max])].flatMap((difficulty) =>
    [
      [0, 1, 1],
      [7, 1, 3],
      [2, 5],
    ].map((keys) => {
      const random = rng(...keys);
      return { keys, difficulty, problems: Array.from({ length: 4 }, () => task.generate(random, difficulty)) };
    }),
  );
}

const hostile = (answer: string): string[] => [
  answer,
  ` ${answer}`,
  `${answer}\n`,
  `0${answer}`,
  `+${answer}`,
  `${answer}.0`,
  `(${answer})`,
  `((${answer}))`,
  `${answer}+0`,
  answer.replace('+', '-'),
  [...answer].reverse().join(''),
  '',
  '()',
  '1+',
  '1'.repeat(100),
  '9*'.repeat(31) + '9',
  '__import__("os")',
  `$${answer}.00`,
  `1,${answer}`,
  `${answer} or 3`,
  '😀'.repeat(150) + answer,
  '１２',
  '\u0661',
];

/** Completions of a problem in every shape that matters: each style, and ways to get the format wrong. */
function completions(task: Task, problem: Problem) {
  const { answer } = problem;
  const written = task.styles.map((style) => task.trace(rng(3), problem, style));
  return [
    ...written,
    ...written.map((text) => text.replace('</answer>', '')),
    `<think></think><answer>${answer}</answer> `,
    `<think></think>\n<answer>${answer}</answer>`,
    `<think><think></think><answer>${answer}</answer>`,
    `<think></think><answer>${answer}</answer><answer>${answer}</answer>`,
    `<think> ; ;</think><answer>${answer}</answer>`,
    `<think>wait</think><answer>${answer}1</answer>`,
    `<answer>${answer}</answer><think></think>`,
    `thought</think> <answer> ${answer} </answer>`,
    `<think>thought</think> so it is \\boxed{${answer}}`,
    '<think>',
    '',
  ];
}

function scores(task: Task) {
  const problem = task.generate(rng(11, 4), task.difficulty.default);
  const scored = completions(task, problem).flatMap((text) =>
    [
      { length: text.length, truncated: false },
      { length: 3, truncated: false },
      { length: LIMIT, truncated: true },
    ].map((end) => {
      const result = scoreCompletion({ task, problem, text, ...end, max_completion_length: LIMIT }, REWARDS);
      return { text, ...end, rewards: result.rewards, reward: result.reward, style: result.parsed.style };
    }),
  );
  return { problem, completions: scored };
}

const FREE_TEXT = [
  'so it is \\boxed{42}',
  '\\boxed{\\frac{1}{2}} and then \\boxed{1{,}000}',
  '\\boxed{never closed',
  '<think>7</think> The answer is 1,234.50.',
  '<think>the answer is 9</think> done',
  '<think>3</think><answer> $12$ </answer>',
  '<answer>5',
  'no number at all',
  'The answer is 2½.',
  'The answer is ¾ of it.',
  'So it is 3×10⁵.',
  'It is 2×10⁻³ in all.',
  'The area is 12 cm².',
  'The answer is 5² − 1.',
  'It is ⅚, or ↉ and ¹⁰.',
  '-7',
  '',
  'a </think> 1 </think> 2',
];

const PARSED = [
  '<think>a;b</think><answer>1</answer>',
  '<think>a',
  '<answer>1</answer>',
  '<think>a;b;c wait</think><answer></answer>',
  '<think>\u00a0;\u0085</think><answer>1</answer>',
];

const CHAT = [
  ' \n<think>\nfirst\n</think>\n\n<answer> 12 </answer>\n',
  'opened by the template</think><answer>12</answer>',
  '</think><answer></answer>',
  '<think>a</think>so \\boxed{12}',
  '<think>a</think>\\boxed{1{2}}',
  '<think>a</think><answer>1</answer><answer>2</answer>',
  '<think><think>a</think><answer>1</answer>',
  '<answer>1</answer>',
  '\u0085<think>a</think><answer>1</answer>\u00a0',
  '<think>a',
];

export function taskVectors() {
  return {
    rng: streams(),
    tasks: allTasks.map((task) => {
      const problem = task.generate(rng(23), task.difficulty.default);
      return {
        name: task.name,
        instruction: task.instruction ?? null,
        difficulty: { min: task.difficulty.min, max: task.difficulty.max },
        problems: problems(task),
        verify: {
          problem,
          answers: hostile(problem.answer).map((answer) => ({ answer, correct: task.verify(problem, answer) })),
        },
        scores: scores(task),
      };
    }),
    max_completion_length: LIMIT,
    ...REWARDS,
    parsed: PARSED.flatMap((text) => [0, 2, 3].map((steps) => ({ text, steps, parsed: parseCompletion(text, steps) }))),
    parsed_chat: CHAT.map((text) => ({ text, parsed: parseChatCompletion(text) })),
    final_answers: FREE_TEXT.map((text) => ({ text, answer: finalAnswer(text) })),
    config: {
      defaults: defaultRunConfig,
      fields: Object.fromEntries(
        fieldKeys.map((key) => {
          const field = describeField(key);
          switch (field.kind) {
            case 'number': {
              const { kind, integer, min, max, above, nullable } = field;
              return [key, { kind, integer, min, max, above, nullable }];
            }
            case 'choice':
              return [key, { kind: field.kind, options: field.options.map(({ value }) => value) }];
            default:
              return [key, { kind: field.kind }];
          }
        }),
      ),
    },
  };
}
