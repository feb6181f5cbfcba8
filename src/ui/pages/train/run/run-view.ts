/** @file The reducer from run events to what the Train page shows. Pure: the same events give the same page. */
import type { LiveConfig } from '../../../../rl/config';
import { weightsByName } from '../../../../rl/rewards';
import type { EvalEvent, Group, RunConfig, RunEvent, StartedEvent, StepEvent } from '../../../../runs/events';
import { summarize, type StepSummary } from './step-summary';

export interface StepRecord {
  step: number;
  metrics: Readonly<Record<string, number>>;
  groups: readonly Group[];
  timings: Readonly<Record<string, number>>;
  summary: StepSummary;
  /** The weights that the step's rewards were summed with. */
  weights: Readonly<Record<string, number>>;
}

/** Something that happened between two steps and that a reader of the charts should know. */
export interface RunNote {
  step: number;
  kind: 'changed' | 'checkpoint' | 'interrupted';
  text: string;
}

export interface RunView {
  phase: 'empty' | 'going' | 'finished' | 'failed';
  started: StartedEvent | null;
  /** As started, with what was changed since; null before `started`. */
  config: RunConfig | null;
  /** In order of their step numbers, without gaps in a complete stream. */
  steps: readonly StepRecord[];
  evals: readonly EvalEvent[];
  notes: readonly RunNote[];
  /** Why the run ended; empty while it goes on. */
  ending: string;
}

export const emptyRun: RunView = {
  phase: 'empty',
  started: null,
  config: null,
  steps: [],
  evals: [],
  notes: [],
  ending: '',
};

export function reduceAll(view: RunView, events: readonly RunEvent[]): RunView {
  return events.reduce(reduce, view);
}

export function reduce(view: RunView, event: RunEvent): RunView {
  switch (event.type) {
    case 'started': {
      // The same run, resumed: what it did before stays on the charts.
      const before = view.started?.run_id === event.run_id ? view : emptyRun;
      return { ...before, phase: 'going', started: event, config: event.config, ending: '' };
    }
    case 'step':
      return { ...view, phase: 'going', ending: '', steps: [...upTo(view.steps, event.step - 1), record(view, event)] };
    case 'eval':
      return { ...view, evals: [...evalsBefore(view.evals, event), event] };
    case 'checkpoint':
      return note(view, { step: event.step, kind: 'checkpoint', text: 'Checkpoint saved' });
    case 'changed': {
      const changed = note(view, { step: event.step, kind: 'changed', text: describeChange(event.change) });
      return { ...changed, config: view.config && { ...view.config, ...event.change } };
    }
    case 'interrupted': {
      const kept = {
        ...view,
        steps: upTo(view.steps, event.resumes_from),
        evals: upTo(view.evals, event.resumes_from),
        notes: upTo(view.notes, event.resumes_from),
      };
      const text = `Interrupted at step ${event.step} (${event.reason}); went on from step ${event.resumes_from}`;
      return note(kept, { step: event.resumes_from, kind: 'interrupted', text });
    }
    case 'finished':
      return {
        ...view,
        phase: 'finished',
        ending: event.reason === 'stopped' ? `Stopped after step ${event.step}` : `Finished after ${event.step} steps`,
      };
    case 'failed':
      return { ...view, phase: 'failed', ending: `Failed at step ${event.step}: ${event.reason}` };
  }
}

/** A cold start is measured before and after, both at step 0. */
function evalsBefore(evals: readonly EvalEvent[], { step, phase }: EvalEvent): readonly EvalEvent[] {
  const beginning = step === 0 && phase === undefined ? evals.filter((each) => each.phase !== undefined) : [];
  return step === 0 ? beginning : upTo(evals, step - 1);
}

/** The number of the last step; 0 before the first update. */
export function lastStep(view: RunView): number {
  return view.steps.at(-1)?.step ?? 0;
}

/** The record of a step, or undefined. Steps are numbered from 1 without gaps, so this is a look-up, not a search. */
export function stepRecord(view: RunView, step: number): StepRecord | undefined {
  const guess = view.steps[step - (view.steps[0]?.step ?? 1)];
  return guess?.step === step ? guess : view.steps.find((candidate) => candidate.step === step);
}

function record(view: RunView, event: StepEvent): StepRecord {
  const longest = Math.max(0, ...event.groups.flatMap((group) => group.completions.map((c) => c.tokens.length)));
  return {
    step: event.step,
    metrics: event.metrics,
    groups: event.groups,
    timings: event.timings,
    summary: summarize(event.groups, view.config?.max_completion_length ?? longest),
    weights: view.config ? weightsByName(view.config) : { accuracy: 1 },
  };
}

function note(view: RunView, added: RunNote): RunView {
  return { ...view, notes: [...view.notes, added] };
}

function upTo<T extends { step: number }>(items: readonly T[], step: number): readonly T[] {
  return items.at(-1) !== undefined && items.at(-1)!.step > step ? items.filter((item) => item.step <= step) : items;
}

function describeChange({ reward_funcs = [], reward_weights = [], ...others }: LiveConfig): string {
  const parts = [
    ...Object.entries(others).map(([field, value]) => `${field} ${String(value)}`),
    ...reward_funcs.map((name, i) => `${name} weight ${String(reward_weights[i])}`),
  ];
  return `Changed: ${parts.join(', ')}`;
}
