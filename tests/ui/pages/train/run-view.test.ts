/** @file The reducer of the Train page: from run events to the view. */
import { describe, expect, it } from 'vitest';
import type { RunEvent, StepEvent } from '../../../../src/runs/events';
import { emptyRun, lastStep, reduce, reduceAll, stepRecord } from '../../../../src/ui/pages/train/run/run-view';
import { syntheticRun } from './fixture';

const small = { num_prompts: 2, num_generations: 4, eval_steps: 2, save_steps: 3 };
const events = [...syntheticRun(small, 6)];
const [started] = events as [Extract<RunEvent, { type: 'started' }>];
const stepEvent = (step: number) => events.find((e): e is StepEvent => e.type === 'step' && e.step === step)!;

describe('reduce', () => {
  it('collects a whole run', () => {
    const view = reduceAll(emptyRun, events);
    expect(view.phase).toBe('finished');
    expect(view.ending).toBe('Finished after 6 steps');
    expect(view.steps.map((record) => record.step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(view.evals.map((each) => each.step)).toEqual([0, 2, 4, 6]);
    expect(view.notes.map((note) => [note.kind, note.step])).toEqual([
      ['checkpoint', 3],
      ['checkpoint', 6],
    ]);
    expect(lastStep(view)).toBe(6);
    expect(stepRecord(view, 4)?.groups).toBe(stepEvent(4).groups);
    expect(stepRecord(view, 7)).toBeUndefined();
  });

  it('does not mutate its argument', () => {
    const before = reduceAll(emptyRun, events.slice(0, 4));
    const copy = structuredClone(before);
    reduceAll(before, events.slice(4));
    expect(before).toEqual(copy);
  });

  it('drops the steps that an interruption undid, and notes it', () => {
    const view = reduceAll(emptyRun, [
      started,
      ...[1, 2, 3, 4].map(stepEvent),
      { type: 'interrupted', step: 4, reason: 'device lost', resumes_from: 2 },
      stepEvent(3),
    ]);
    expect(view.steps.map((record) => record.step)).toEqual([1, 2, 3]);
    expect(view.notes).toEqual([
      { step: 2, kind: 'interrupted', text: 'Interrupted at step 4 (device lost), continued from step 2' },
    ]);
  });

  it('replaces a step that is run again, and drops the later ones', () => {
    const view = reduceAll(emptyRun, [started, ...[1, 2, 3].map(stepEvent), stepEvent(2)]);
    expect(view.steps.map((record) => record.step)).toEqual([1, 2]);
  });

  it('keeps the steps when the same run starts again, but not when another one does', () => {
    const view = reduceAll(emptyRun, [started, stepEvent(1)]);
    expect(reduce(view, started).steps).toHaveLength(1);
    expect(reduce(view, { ...started, run_id: 'other' }).steps).toHaveLength(0);
  });

  it('applies live changes from the next step on', () => {
    const reward_funcs = ['accuracy', 'format', 'length'];
    const reward_weights = [0.5, 0.1, 0.4];
    const view = reduceAll(emptyRun, [
      started,
      stepEvent(1),
      { type: 'changed', step: 1, change: { learning_rate: 1e-4, reward_funcs, reward_weights } },
      stepEvent(2),
    ]);
    expect(view.config?.learning_rate).toBe(1e-4);
    expect(view.started?.config.learning_rate).toBe(3e-4);
    expect(stepRecord(view, 1)?.weights).toEqual({ accuracy: 1, format: 0.2, length: 0 });
    expect(stepRecord(view, 2)?.weights).toEqual({ accuracy: 0.5, format: 0.1, length: 0.4 });
    expect(view.notes[0]?.text).toBe(
      'Changed: Accuracy weight 0.5, Format weight 0.1, Length weight 0.4, Learning rate 1e−4',
    );
  });

  it('notes several changes of a setting between two steps as one, and none if it is back', () => {
    const to = (step: number, learning_rate: number): RunEvent => ({
      type: 'changed',
      step,
      change: { learning_rate },
    });
    const moved = reduceAll(emptyRun, [started, stepEvent(1), to(1, 1e-4), to(1, 2e-4), stepEvent(2), to(2, 1e-5)]);
    expect(moved.notes.map(({ step, text }) => [step, text])).toEqual([
      [1, 'Changed: Learning rate 2e−4'],
      [2, 'Changed: Learning rate 1e−5'],
    ]);
    const back = reduceAll(emptyRun, [started, stepEvent(1), to(1, 1e-4), to(1, 3e-4)]);
    expect([back.notes, back.config?.learning_rate]).toEqual([[], 3e-4]);
  });

  it('says from which step a resumed run continues', () => {
    const resumed = { type: 'interrupted', step: 1, reason: 'resumed', resumes_from: 1 } as const;
    const view = reduceAll(emptyRun, [started, stepEvent(1), started, resumed]);
    expect(view.notes.map(({ text }) => text)).toEqual(['Continued from step 1']);
  });

  it('keeps the steps of a run that failed', () => {
    const view = reduceAll(emptyRun, [started, stepEvent(1), { type: 'failed', step: 2, reason: 'loss is NaN' }]);
    expect(view.phase).toBe('failed');
    expect(view.ending).toBe('Failed at step 2: loss is NaN');
    expect(view.steps).toHaveLength(1);
  });

  it('finds steps of a stream that does not begin at step 1', () => {
    const view = reduceAll(emptyRun, [started, stepEvent(3), stepEvent(5)]);
    expect(stepRecord(view, 3)?.step).toBe(3);
    expect(stepRecord(view, 5)?.step).toBe(5);
    expect(stepRecord(view, 4)).toBeUndefined();
  });
});
