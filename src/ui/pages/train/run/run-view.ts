/** @file The reducer from run events to what the Train page shows. It is pure: the same events give the same view. */
import { t } from '../../../../i18n';
import { weightsByName } from '../../../../rl/rewards';
import type { EvalEvent, Group, RunConfig, RunEvent, StartedEvent, StepEvent } from '../../../../runs/events';
import { describeChange } from './describe-change';
import { summarize, type StepSummary } from '../metrics/step-summary';

export interface StepRecord {
  step: number;
  metrics: Readonly<Record<string, number>>;
  groups: readonly Group[];
  timings: Readonly<Record<string, number>>;
  summary: StepSummary;
  /** The weights of the step's rewards in their sum. */
  weights: Readonly<Record<string, number>>;
}

/** Something that happened between two steps and explains what the charts show. */
export interface RunNote {
  step: number;
  kind: 'changed' | 'checkpoint' | 'interrupted';
  text: string;
  /** The config before the change, for `changed`. */
  before?: RunConfig;
}

export interface RunView {
  phase: 'empty' | 'going' | 'finished' | 'failed';
  started: StartedEvent | null;
  /** The config that the run started with and the changes since; null before `started`. */
  config: RunConfig | null;
  /** In order of their step numbers, without gaps in a complete stream. */
  steps: readonly StepRecord[];
  evals: readonly EvalEvent[];
  notes: readonly RunNote[];
  /** How the run ended; empty while it goes on. */
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
      // The same run was resumed: its earlier steps stay on the charts.
      const before = view.started?.run_id === event.run_id ? view : emptyRun;
      return { ...before, phase: 'going', started: event, config: event.config, ending: '' };
    }
    case 'step':
      return { ...view, phase: 'going', ending: '', steps: [...upTo(view.steps, event.step - 1), record(view, event)] };
    case 'eval':
      return { ...view, evals: [...evalsBefore(view.evals, event), event] };
    case 'checkpoint':
      return note(view, { step: event.step, kind: 'checkpoint', text: t('train:changes.checkpoint') });
    case 'changed':
      return change(view, event);
    case 'interrupted': {
      const kept = {
        ...view,
        steps: upTo(view.steps, event.resumes_from),
        evals: upTo(view.evals, event.resumes_from),
        notes: upTo(view.notes, event.resumes_from),
      };
      const { step, reason, resumes_from: from } = event;
      const text =
        step === from ? t('train:changes.continued', { from }) : t('train:changes.interrupted', { step, reason, from });
      return note(kept, { step: from, kind: 'interrupted', text });
    }
    case 'finished': {
      const { step, reason } = event;
      const ending = reason === 'stopped' ? t('train:run.stopped', { step }) : t('train:run.finished', { count: step });
      return { ...view, phase: 'finished', ending };
    }
    case 'failed': {
      const { step, reason } = event;
      return { ...view, phase: 'failed', ending: t('train:run.failed', { step, reason }) };
    }
  }
}

/** All changes between the same two steps make one note, so that moving a slider doesn't fill the list. */
function change(view: RunView, { step, change: changed }: Extract<RunEvent, { type: 'changed' }>): RunView {
  if (!view.config) return view;
  const config = { ...view.config, ...changed };
  const last = view.notes.at(-1);
  const joined = last?.kind === 'changed' && last.step === step;
  const before = (joined && last.before) || view.config;
  const notes = joined ? view.notes.slice(0, -1) : view.notes;
  const text = describeChange(before, config);
  return { ...view, config, notes: text ? [...notes, { step, kind: 'changed', text, before }] : notes };
}

/** A cold start is evaluated before and after, both at step 0. */
function evalsBefore(evals: readonly EvalEvent[], { step, phase }: EvalEvent): readonly EvalEvent[] {
  const beginning = step === 0 && phase === undefined ? evals.filter((each) => each.phase !== undefined) : [];
  return step === 0 ? beginning : upTo(evals, step - 1);
}

/** The number of the last step; 0 before the first update. */
export function lastStep(view: RunView): number {
  return view.steps.at(-1)?.step ?? 0;
}

/** The record of a step, or undefined. Steps usually have no gaps, so this is a look-up rather than a search. */
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
