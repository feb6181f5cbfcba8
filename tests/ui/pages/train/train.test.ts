/** @file The smaller parts of the Train page: selection, sliders, presets, dots, chart data, before and after. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { getTask } from '../../../../src/tasks';
import { COMPLETION_STYLES } from '../../../../src/tasks/answer';
import { defaultRunConfig } from '../../../../src/runs/config';
import { describeField, type NumberField } from '../../../../src/runs/fields';
import type { GenerateRequest, ChatModel, ChatToken } from '../../../../src/runs/chat-model';
import { presetConfig, presets } from '../../../../src/runs/presets';
import {
  evalPoints,
  lengthColumns,
  metricPoints,
  rewardTop,
  styleLayers,
} from '../../../../src/ui/pages/train/metrics/chart-data';
import { BeforeAfterState, knownProblem, verdictOn } from '../../../../src/ui/pages/train/compare/before-after.svelte';
import { presetOf } from '../../../../src/ui/pages/train/settings/preset-of';
import { rewardDomain, rewardDots } from '../../../../src/ui/pages/train/group/reward-dots';
import { emptyRun, reduceAll } from '../../../../src/ui/pages/train/run/run-view';
import { Selection } from '../../../../src/ui/pages/train/selection.svelte';
import { sliderPosition, sliderValue } from '../../../../src/ui/pages/train/settings/slider-scale';
import { syntheticRun } from './fixture';

describe('the selection', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('follows the run at a readable pace', () => {
    const selection = new Selection();
    selection.latest(1);
    expect(selection.step).toBe(1);
    selection.latest(2);
    selection.latest(3);
    expect(selection.step).toBe(1);
    vi.advanceTimersByTime(1000);
    expect(selection.step).toBe(3);
  });
  it('stays at a picked step and catches up when it follows again', () => {
    const selection = new Selection();
    selection.latest(5);
    selection.pin(2);
    selection.latest(9);
    vi.advanceTimersByTime(1000);
    expect([selection.step, selection.following]).toEqual([2, false]);
    selection.follow();
    expect([selection.step, selection.following]).toEqual([9, true]);
  });
  it('goes back with the run and unpins a step that is gone', () => {
    const selection = new Selection();
    selection.latest(50);
    selection.pin(45);
    selection.latest(40);
    expect([selection.step, selection.following]).toEqual([40, true]);
  });
  it('forgets the completion when another prompt is chosen', () => {
    const selection = new Selection();
    selection.completion = 3;
    selection.choosePrompt(2);
    expect([selection.prompt, selection.completion]).toEqual([2, null]);
  });
});

describe('sliders', () => {
  const rate = describeField('learning_rate') as NumberField;
  const weight = describeField('reward_weights.length') as NumberField;
  it('are logarithmic for the learning rate', () => {
    expect(sliderPosition(rate, 1e-6)).toBe(0);
    expect(sliderPosition(rate, 1e-4)).toBeCloseTo(50);
    expect(sliderPosition(rate, 1)).toBe(100);
    expect(sliderValue(rate, 50)).toBe(1e-4);
    expect(sliderValue(rate, 100)).toBe(0.01);
  });
  it('are linear for a weight, and step by its step', () => {
    expect(sliderPosition(weight, 0)).toBe(50);
    expect(sliderValue(weight, 50)).toBe(0);
    expect(sliderValue(weight, 73)).toBe(0.5);
  });
});

describe('presetOf', () => {
  it('recognises every preset, whatever the seed and the number of steps', () => {
    for (const preset of presets) {
      expect(presetOf({ ...presetConfig(preset), seed: 7, max_steps: 12, model: 'other' })).toBe(preset);
    }
  });
  it('recognises none in custom settings', () => {
    expect(presetOf({ ...defaultRunConfig, learning_rate: 1.23e-4 })).toBeUndefined();
  });
});

describe('reward dots', () => {
  it('stack equal rewards and spread tall stacks sideways', () => {
    const dots = rewardDots([1, 0, 1, 1], 2);
    expect(dots.filter((dot) => dot.reward === 1).map((dot) => [dot.index, dot.column, dot.row])).toEqual([
      [0, -0.5, 0],
      [2, 0.5, 0],
      [3, -0.5, 1],
    ]);
    expect(dots.find((dot) => dot.reward === 0)).toMatchObject({ column: 0, row: 0 });
  });
  it('always show zero and one unit', () => {
    expect(rewardDomain([0.2])).toEqual([0, 1]);
    expect(rewardDomain([-0.5, 1.2])).toEqual([-0.5, 1.2]);
  });
});

describe('chart data', () => {
  const view = reduceAll(emptyRun, [...syntheticRun({ num_prompts: 2, num_generations: 4, eval_steps: 2 }, 4)]);
  it('has a point for each step or evaluation, null if a metric is missing', () => {
    expect(metricPoints(view, 'reward').map(([step]) => step)).toEqual([1, 2, 3, 4]);
    expect(metricPoints(view, 'no such metric')[0]).toEqual([1, null]);
    expect(evalPoints(view, 'eval_accuracy').map(([step]) => step)).toEqual([0, 2, 4]);
    expect(lengthColumns(view)).toHaveLength(4);
  });
  it('stacks the shares of styles to one, the most thinking at the bottom, and keeps unknown ones', () => {
    const strange = { ...view.steps[0]!, summary: { ...view.steps[0]!.summary, styles: { full: 0.25, haiku: 0.75 } } };
    const layers = styleLayers({ ...view, steps: [...view.steps, strange] }, COMPLETION_STYLES);
    expect(layers.map((layer) => layer.name)).toEqual([
      'checked',
      'full steps',
      'some steps',
      'no steps',
      'wrong format',
      'haiku',
    ]);
    for (let i = 0; i < 5; i++) {
      expect(layers.reduce((sum, layer) => sum + layer.values[i]!, 0)).toBeCloseTo(1);
    }
  });
  it('ends the reward axis at the largest possible reward', () => {
    expect(rewardTop(view)).toBeCloseTo(1.2);
    expect(rewardTop(emptyRun)).toBe(1);
  });
});

describe('asking before and after', () => {
  const requests: GenerateRequest[] = [];
  class Saying implements ChatModel {
    constructor(readonly name: string) {}
    async *generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<ChatToken> {
      requests.push(request);
      for (const text of this.name) if (!signal.aborted) yield { text, logprob: -1 };
    }
  }
  const question = { prompt: '1+1=', temperature: 0.7, seed: 3, max_tokens: 5 };

  it('asks both the same question with the same seed', async () => {
    requests.length = 0;
    const chats = new BeforeAfterState((which) => Promise.resolve(new Saying(which)));
    await chats.ask(question);
    expect(chats.answers.before).toMatchObject({ tokens: [...'before'], state: 'done', truncated: true });
    expect(chats.answers.after).toMatchObject({ tokens: [...'after'], logprobs: [-1, -1, -1, -1, -1] });
    expect(requests[0]).toEqual(requests[1]);
    expect(requests[0]).toMatchObject({ seed: 3, temperature: 0.7, messages: [{ role: 'user', content: '1+1=' }] });
    expect(chats.asking).toBe(false);
  });
  it('shows an error of one model and still asks the other', async () => {
    const chats = new BeforeAfterState((which) =>
      which === 'before' ? Promise.reject(new Error('no weights')) : Promise.resolve(new Saying('ok')),
    );
    await chats.ask(question);
    expect(chats.answers.before).toMatchObject({ state: 'failed', problem: 'no weights' });
    expect(chats.answers.after).toMatchObject({ tokens: ['o', 'k'], truncated: false });
  });
  it('shows nothing more after it was stopped', async () => {
    const chats = new BeforeAfterState((which) => Promise.resolve(new Saying(which)));
    const asking = chats.ask(question);
    chats.stop();
    await asking;
    expect(chats.answers.after.tokens).toEqual([]);
    expect(chats.asking).toBe(false);
  });
  it('removes the answers when the question changes', async () => {
    const chats = new BeforeAfterState((which) => Promise.resolve(new Saying(which)));
    await chats.ask(question);
    expect(chats.asked).toBe('1+1=');
    chats.clear();
    expect([chats.asked, chats.answers.before.tokens, chats.answers.after.state]).toEqual(['', [], 'idle']);
  });
  it('knows the answers to the group’s problems, and to those that a person types', () => {
    const given = [{ prompt: '3 7 12:33=', answer: '3*7+12' }];
    expect(knownProblem('3 7 12:33=', getTask('countdown'), given)).toEqual(given[0]);
    expect(knownProblem('1 2:3=', getTask('countdown'), given)).toBeNull();
    expect(knownProblem('1+2-5=', getTask('sum'), [])).toEqual({ prompt: '1+2-5=', answer: '-2' });
    expect(knownProblem('12*34=', getTask('mul'), [])?.answer).toBe('408');
    expect(knownProblem('parity 10110=', getTask('parity'), [])?.answer).toBe('1');
    expect(knownProblem('hello', getTask('sum'), given)).toBeNull();
  });

  it('judges answers as the accuracy reward does', () => {
    const verdict = (text: string) => {
      const answer = { tokens: [text, '<eos>'], logprobs: [], truncated: false, state: 'done' as const, problem: '' };
      return verdictOn(answer, getTask('sum'), { prompt: '1+1=', answer: '2' });
    };
    expect(verdict('<think></think><answer>2</answer>')).toBe('right');
    expect(verdict('<think></think><answer>3</answer>')).toBe('wrong');
    expect(verdict('2')).toBe('unformatted');
  });
});
