/**
 * @file Word problems in the manner of GSM8K (Cobbe et al., arXiv 2110.14168), made from templates: a story that begins
 * with a quantity, and events that change it one after another. For models that can read; asked through their chat template.
 */
import type { Rng } from '../base/rng';
import type { Problem, Task } from './task';
import { onlyValue, sameAnswer } from './answer';
import { arithmeticSlip, writeTrace } from './trace';

/** A sentence, and what it does to the quantity so far. */
interface Event {
  text: string;
  expression: string;
  value: number;
}

type EventWriter = (rng: Rng, total: number, who: string) => Event | null;

interface Story {
  /** The first sentence, whose quantity is one step to work out. */
  opening: (rng: Rng, who: string) => Event;
  events: readonly EventWriter[];
  question: (who: string) => string;
}

const NAMES = ['Mia', 'Tom', 'Ada', 'Omar', 'Lena', 'Ravi', 'Sofia', 'Jun', 'Nora', 'Paul'] as const;

/** `total + amount`, told by `text`. */
const more =
  (low: number, high: number, text: (amount: number, who: string) => string): EventWriter =>
  (rng, total, who) => {
    const amount = rng.int(low, high);
    return { text: text(amount, who), expression: `${total}+${amount}`, value: total + amount };
  };

/** `total - amount`, where there is enough. */
const less =
  (low: number, high: number, text: (amount: number, who: string) => string): EventWriter =>
  (rng, total, who) => {
    if (total <= low) return null;
    const amount = rng.int(low, Math.min(high, total - 1));
    return { text: text(amount, who), expression: `${total}-${amount}`, value: total - amount };
  };

/** `total / parts`, where that is whole. */
const shared =
  (text: (parts: number, who: string) => string): EventWriter =>
  (rng, total, who) => {
    const parts = [2, 3, 4, 5].filter((count) => total % count === 0 && total > count);
    if (parts.length === 0) return null;
    const count = rng.pick(parts);
    return { text: text(count, who), expression: `${total}/${count}`, value: total / count };
  };

/** `total * times`. */
const times =
  (low: number, high: number, text: (count: number, who: string) => string): EventWriter =>
  (rng, total, who) => {
    if (total > 400) return null;
    const count = rng.int(low, high);
    return { text: text(count, who), expression: `${total}*${count}`, value: total * count };
  };

/** An opening whose quantity is a product. */
const product =
  (a: readonly [number, number], b: readonly [number, number], text: (x: number, y: number, who: string) => string) =>
  (rng: Rng, who: string): Event => {
    const [x, y] = [rng.int(...a), rng.int(...b)];
    return { text: text(x, y, who), expression: `${x}*${y}`, value: x * y };
  };

const stories: readonly Story[] = [
  {
    opening: product([3, 9], [4, 12], (x, y, who) => `${who} buys ${x} boxes with ${y} marbles each.`),
    events: [
      more(5, 40, (n, who) => `Then ${who} finds ${n} more marbles at home.`),
      less(3, 30, (n, who) => `${who} gives ${n} marbles to a friend.`),
      shared((n, who) => `${who} sorts the marbles into ${n} equal bags and keeps only one of the bags.`),
      times(2, 3, (n, who) => `At a game ${who} wins until there are ${n} times as many marbles.`),
    ],
    question: (who) => `How many marbles does ${who} have now?`,
  },
  {
    opening: product([2, 8], [9, 25], (x, y, who) => `${who} works ${x} hours for ${y} dollars an hour.`),
    events: [
      more(5, 60, (n, who) => `On the way home ${who} sells an old bicycle part for ${n} dollars.`),
      less(5, 50, (n, who) => `${who} spends ${n} dollars on food.`),
      shared((n, who) => `${who} divides the money equally among ${n} people, of whom ${who} is one.`),
      times(2, 4, (n, who) => `${who} earns the same amount again and again, until there is ${n} times the money.`),
    ],
    question: (who) => `How many dollars does ${who} have at the end?`,
  },
  {
    opening: product(
      [4, 12],
      [6, 15],
      (x, y) => `A theatre has ${x} rows with ${y} seats each, and every seat is taken.`,
    ),
    events: [
      more(4, 30, (n) => `For ${n} more guests chairs are put beside the rows.`),
      less(4, 30, (n) => `In the break ${n} guests go home.`),
      shared((n) => `The guests who are left form ${n} equal groups, and all groups but one leave.`),
    ],
    question: () => `How many guests are in the theatre now?`,
  },
  {
    opening: product([2, 6], [40, 95], (x, y, who) => `${who} drives for ${x} hours at ${y} km an hour.`),
    events: [
      more(10, 90, (n) => `After a rest there are ${n} km more to the hotel.`),
      times(2, 3, (n, who) => `${who} makes this whole trip ${n} times in all.`),
      more(5, 40, (n, who) => `By mistake ${who} drives a detour of ${n} km.`),
    ],
    question: (who) => `How many kilometres does ${who} drive altogether?`,
  },
  {
    opening: product([3, 9], [12, 30], (x, y, who) => `${who} bakes ${x} trays with ${y} rolls each.`),
    events: [
      less(5, 60, (n, who) => `In the morning ${who} sells ${n} rolls.`),
      more(6, 36, (n, who) => `At noon ${who} bakes ${n} rolls more.`),
      shared((n, who) => `${who} packs the rolls into ${n} equal crates and sends away all crates but one.`),
    ],
    question: (who) => `How many rolls does ${who} have left?`,
  },
  {
    opening: product([5, 14], [3, 9], (x, y, who) => `${who} reads ${x} pages a day for ${y} days.`),
    events: [
      more(8, 45, (n, who) => `At the weekend ${who} reads ${n} pages more.`),
      times(2, 3, (n, who) => `The next month ${who} reads on, until the number of pages is ${n} times as large.`),
      less(3, 20, (n) => `But ${n} of the pages were read twice and shall not be counted.`),
    ],
    question: (who) => `How many pages has ${who} read?`,
  },
];

/** Longer answers are wrong, unread. */
const MAX_ANSWER = 200;

export const wordProblems: Task = {
  name: 'word-problems',
  title: 'Word problems',
  description: 'Short stories with a few steps of arithmetic, for models that can read.',
  difficulty: { min: 2, max: 4, default: 3, describe: (level) => (level > 2 ? `2 to ${level} steps` : '2 steps') },
  instruction:
    'Think step by step between <think> and </think>. Then give only the final number between <answer> and </answer>.',
  styles: ['bare', 'direct', 'partial', 'full', 'check'],

  generate(rng, difficulty) {
    const story = rng.pick(stories);
    const who = rng.pick(NAMES);
    const told = [story.opening(rng, who)];
    const count = rng.int(2, difficulty);
    // The same thing doesn't happen twice in a row; what can't happen is passed over.
    let last: EventWriter | null = null;
    while (told.length < count) {
      const writer = rng.pick(story.events);
      const event = writer === last ? null : writer(rng, told.at(-1)!.value, who);
      if (!event) continue;
      told.push(event);
      last = writer;
    }
    return {
      prompt: [...told.map(({ text }) => text), story.question(who)].join(' '),
      answer: String(told.at(-1)!.value),
      steps: told.map(({ expression, value }) => ({ expression, value: String(value) })),
    };
  },

  verify(problem: Problem, answer: string) {
    // "Mia has 42 marbles" says 42; an answer with two numbers says neither.
    const value = answer.length > MAX_ANSWER ? null : onlyValue(answer);
    return value !== null && sameAnswer(value, problem.answer);
  },

  trace: (rng, problem, style) => writeTrace(rng, problem, style, arithmeticSlip),
};
