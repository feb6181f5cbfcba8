/** @file Events as JSON lines in and out, hostile files, what counts of a history, and replaying a recording. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { RunEvent, StartedEvent } from '../../src/runs/events';
import { parseEvents, serializeEvents } from '../../src/runs/event-schema';
import { effectiveEvents, lastStep } from '../../src/runs/history';
import { RecordedTrainer } from '../../src/runs/recording';
import { evalEvent, startedEvent, stepEvent } from './fixtures';

const interrupted = (step: number, resumes_from: number): RunEvent => ({
  type: 'interrupted',
  step,
  reason: 'reset',
  resumes_from,
});
const all: RunEvent[] = [
  startedEvent(),
  evalEvent(0),
  stepEvent(1),
  {
    type: 'changed',
    step: 1,
    change: { learning_rate: 1e-4, reward_funcs: ['accuracy', 'length'], reward_weights: [1, 0.5] },
  },
  stepEvent(2),
  { type: 'checkpoint', step: 2, reference: 'run:run-1@2' },
  interrupted(2, 2),
  { type: 'failed', step: 2, reason: 'no more' },
  { type: 'finished', step: 2, reason: 'stopped' },
];
const outline = (events: readonly RunEvent[]) =>
  events.map((event) => `${event.type}${'step' in event ? ` ${event.step}` : ''}`);

describe('parseEvents', () => {
  it('reads back every kind of event', () => {
    expect(parseEvents(serializeEvents(all))).toEqual(all);
  });

  it('carries numbers that are not finite through JSON as NaN', () => {
    const text = serializeEvents([startedEvent(), stepEvent(1, { loss: NaN, grad_norm: Infinity })]);
    expect(text).not.toMatch(/NaN|Infinity/);
    const step = parseEvents(text)[1]!;
    expect(step).toMatchObject({ metrics: { loss: NaN, grad_norm: NaN } });
  });

  it('reads runs whose weights were a record', () => {
    const now = parseEvents(serializeEvents(all));
    const record = { accuracy: 1, format: 0.2, length: 0 };
    const old = serializeEvents(all)
      .replace(/"reward_funcs":\[[^\]]*\],"reward_weights":\[1,0\.2,0\]/, `"reward_weights":${JSON.stringify(record)}`)
      .replace(/"reward_funcs":\[[^\]]*\],"reward_weights":\[1,0\.5\]/, '"reward_weights":{"accuracy":1,"length":0.5}');
    expect(old).not.toContain('reward_funcs');
    expect(parseEvents(old)).toEqual(now);
  });

  it('fills in whether the model reads language, which earlier versions did not say', () => {
    const old = (lora_r: number | null) => {
      const started = startedEvent();
      const { reads_language: _, ...model } = started.model;
      return JSON.stringify({ ...started, model, config: { ...started.config, lora_r } });
    };
    const reads = (text: string) => (parseEvents(text)[0] as StartedEvent).model.reads_language;
    expect(reads(old(null))).toBe(false);
    // Only downloaded models were trained by adapters then.
    expect(reads(old(8))).toBe(true);
  });

  it('leaves out a last line that a crash cut short, and blank lines', () => {
    const text = serializeEvents(all);
    expect(parseEvents(text.slice(0, -20))).toEqual(all.slice(0, -1));
    expect(parseEvents(`${text}\n  \n`)).toEqual(all);
    expect(parseEvents(text.replaceAll('\n', '\r\n'))).toEqual(all);
  });

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- it breaks what the types promise
  const broken = (change: (step: any) => void): string => {
    const step = structuredClone(stepEvent(1));
    change(step);
    return serializeEvents([startedEvent(), step]);
  };
  it.each<[string, string, RegExp]>([
    ['nothing', '', /not a run/],
    ['a page', '<!doctype html>\n', /line 1 is not JSON/],
    ['a run without a start', serializeEvents([stepEvent(1)]), /first line is no started event/],
    [
      'a later schema',
      serializeEvents([startedEvent({ schema: 2 as never })]),
      /line 1: schema 2 is not readable.*reads 1/,
    ],
    ['an unknown event', `${serializeEvents([startedEvent()])}{"type":"exec"}\n`, /line 2: “type”/],
    ['a scalar', `${serializeEvents([startedEvent()])}3\n`, /line 2/],
    ['a middle line cut short', serializeEvents(all).replace('"type":"eval"', '"type":'), /line 2 is not JSON/],
    ['two runs', serializeEvents([startedEvent(), startedEvent({ run_id: 'other' })]), /more than one run/],
    ['an id that is a path', serializeEvents([startedEvent({ run_id: '../x' })]), /“run_id”: not a run id/],
    [
      'a config that could not run',
      serializeEvents([startedEvent({ config: { ...startedEvent().config, num_generations: 1 } })]),
      /config/,
    ],
    ['a negative step', broken((s) => (s.step = -1)), /line 2: “step” is too/],
    [
      'a huge list',
      broken((s) => (s.groups[0].completions[0].token_ids = Array(9000).fill(1))),
      /token_ids”: not a list/,
    ],
    ['tokens that are objects', broken((s) => (s.groups[0].completions[0].tokens = [{}, {}])), /tokens/],
    ['lists of different lengths', broken((s) => s.groups[0].completions[0].tokens.pop()), /differ in length/],
    ['a number as text', broken((s) => (s.metrics.loss = '1')), /metrics\.loss/],
    [
      'too many metrics',
      broken((s) => {
        for (let i = 0; i < 600; i++) s.metrics[`m${i}`] = i;
      }),
      /more than 500 metrics/,
    ],
    ['an unknown style', broken((s) => (s.groups[0].completions[0].style = '<img>')), /style/],
    [
      'a metric that is too large to be a number',
      broken((s) => (s.metrics.loss = 7)).replace('"loss":7', '"loss":1e999'),
      /metrics\.loss/,
    ],
    [
      'a time of minus infinity',
      broken((s) => (s.timings.total = 7)).replace('"total":7', '"total":-1e999'),
      /timings\.total/,
    ],
    [
      'a log-probability of infinity',
      broken((s) => (s.groups[0].completions[0].logprobs[0] = 77)).replace('77', '1e400'),
      /logprobs/,
    ],
    [
      'a seed of infinity',
      serializeEvents([startedEvent({ seed: 77 })])
        .replace('"seed":77,"type', '"seed":1e999,"type')
        .replace(/"seed":77}/, '"seed":1e999}'),
      /seed/,
    ],
    [
      'steps going backwards',
      serializeEvents([startedEvent(), stepEvent(2), stepEvent(1)]),
      /line 3: step 1 comes after step 2/,
    ],
    [
      'a step that comes twice',
      serializeEvents([startedEvent(), stepEvent(1), stepEvent(1)]),
      /step 1 comes after step 1/,
    ],
    [
      'an evaluation of an earlier step',
      serializeEvents([startedEvent(), stepEvent(1), stepEvent(2), evalEvent(1)]),
      /line 4/,
    ],
    [
      'a checkpoint of an earlier step',
      serializeEvents([startedEvent(), stepEvent(2), { type: 'checkpoint', step: 1, reference: 'x' }]),
      /line 3/,
    ],
    [
      'an end before the last step',
      serializeEvents([startedEvent(), stepEvent(2), { type: 'finished', step: 1, reason: 'stopped' }]),
      /line 3/,
    ],
    [
      'a run that goes on from later than it was interrupted',
      serializeEvents([startedEvent(), stepEvent(2), interrupted(2, 3)]),
      /can't go on from 3/,
    ],
    [
      'a step before the one that it goes on from',
      serializeEvents([startedEvent(), stepEvent(3), interrupted(3, 2), stepEvent(2)]),
      /line 4/,
    ],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseEvents(text)).toThrow(message);
  });

  it('lets a run that was resumed or interrupted make steps again', () => {
    const again = [
      startedEvent(),
      stepEvent(1),
      stepEvent(3),
      interrupted(3, 1),
      stepEvent(2),
      startedEvent(),
      stepEvent(2),
      evalEvent(2),
    ];
    expect(parseEvents(serializeEvents(again))).toEqual(again);
  });

  it('reads what this device stored in any order', () => {
    const mixed = [startedEvent(), stepEvent(2), stepEvent(1)];
    expect(parseEvents(serializeEvents(mixed), { anyOrder: true })).toEqual(mixed);
  });

  it('leaves out keys that it does not know', () => {
    const text = serializeEvents([startedEvent()]).replace('{"type"', '{"__proto__":{"a":1},"extra":1,"type"');
    expect(parseEvents(text)).toEqual([startedEvent()]);
  });

  it('reads a whole run in reasonable time', () => {
    const long = stepEvent(1);
    const completion = long.groups[0]!.completions[0]!;
    const tokens = Array.from({ length: 64 }, (_, i) => i);
    Object.assign(completion, {
      token_ids: tokens,
      tokens: tokens.map(String),
      logprobs: tokens.map(Math.sin),
      logprobs_after: tokens.map(Math.cos),
    });
    long.groups = Array.from({ length: 16 }, () => ({
      ...long.groups[0]!,
      completions: Array(16).fill(completion) as [],
    }));
    const text = serializeEvents([startedEvent(), ...Array.from({ length: 40 }, (_, i) => ({ ...long, step: i + 1 }))]);
    const begin = performance.now();
    expect(parseEvents(text)).toHaveLength(41);
    expect(performance.now() - begin).toBeLessThan(4000);
  });
});

describe('effectiveEvents', () => {
  it('takes out what an interruption undid', () => {
    const events = [
      startedEvent(),
      stepEvent(1),
      stepEvent(2),
      stepEvent(3),
      evalEvent(3),
      interrupted(3, 1),
      stepEvent(2),
    ];
    expect(outline(effectiveEvents(events))).toEqual(['started', 'step 1', 'interrupted 3', 'step 2']);
  });

  it('joins a run that was stopped, resumed and made again', () => {
    const stopped: RunEvent = { type: 'finished', step: 2, reason: 'stopped' };
    const events = [
      startedEvent(),
      stepEvent(1),
      stepEvent(2),
      stopped,
      startedEvent(),
      interrupted(2, 2),
      stepEvent(3),
      stopped,
    ];
    expect(outline(effectiveEvents(events))).toEqual([
      'started',
      'step 1',
      'step 2',
      'interrupted 2',
      'step 3',
      'finished 2',
    ]);
    expect(lastStep(events)).toBe(3);
    expect(lastStep([startedEvent()])).toBe(0);
  });

  it('keeps the later of two versions of a step', () => {
    const events = [startedEvent(), stepEvent(1, { loss: 1 }), stepEvent(1, { loss: 2 })];
    expect(effectiveEvents(events)).toEqual([events[0], events[2]]);
    expect(effectiveEvents([startedEvent(), evalEvent(0, 0.1), evalEvent(0, 0.2)])).toEqual([
      startedEvent(),
      evalEvent(0, 0.2),
    ]);
  });
});

describe('RecordedTrainer', () => {
  afterEach(() => vi.useRealTimers());
  const recording: RunEvent[] = [
    startedEvent(),
    evalEvent(0),
    stepEvent(1),
    stepEvent(2),
    evalEvent(2),
    stepEvent(3),
    { type: 'finished', step: 3, reason: 'max_steps' },
  ];
  function play(events = recording) {
    vi.useFakeTimers();
    const seen: RunEvent[] = [];
    const trainer = new RecordedTrainer(events, { pace: 100 });
    void trainer.start(null, { event: (event) => void seen.push(event) });
    return { trainer, seen };
  }

  it('shows the start, then a step at each tick, pausing in between', async () => {
    const { trainer, seen } = play();
    expect(outline(seen)).toEqual(['started', 'eval 0']);
    expect(seen[0]).toMatchObject({ device: { kind: 'recording', description: 'test' } });
    trainer.resume();
    vi.advanceTimersByTime(100);
    expect(outline(seen)).toEqual(['started', 'eval 0', 'step 1']);
    await trainer.pause();
    vi.advanceTimersByTime(1000);
    expect(seen).toHaveLength(3);
    await trainer.step();
    expect(outline(seen).slice(3)).toEqual(['step 2', 'eval 2']);
    trainer.resume();
    vi.advanceTimersByTime(1000);
    expect(seen.slice(1)).toEqual(recording.slice(1));
    expect(vi.getTimerCount()).toBe(0);
  });

  it('seeks forward and back', () => {
    const { trainer, seen } = play();
    const at = (step: number) => {
      seen.length = 0;
      trainer.seek(step);
      return outline(seen);
    };
    expect(at(2)).toEqual(['started', 'eval 0', 'step 1', 'step 2', 'eval 2']);
    expect(at(1)).toEqual(['started', 'eval 0', 'step 1']);
    expect(at(-5)).toEqual(['started', 'eval 0']);
    expect(at(99)).toEqual(outline(recording));
    expect(trainer.steps).toBe(3);
    // From an end back into the run, it plays on.
    at(2);
    trainer.resume();
    vi.advanceTimersByTime(100);
    expect(outline(seen).slice(-2)).toEqual(['step 3', 'finished 3']);
  });

  it('changes its pace while it plays', () => {
    const { trainer, seen } = play();
    trainer.resume();
    trainer.setPace(10);
    vi.advanceTimersByTime(35);
    expect(outline(seen).filter((line) => line.startsWith('step'))).toHaveLength(3);
  });

  it('ends once: by itself, or when stopped', async () => {
    const { trainer, seen } = play();
    await trainer.step();
    await trainer.stop();
    await trainer.stop();
    await trainer.step();
    expect(outline(seen).slice(-2)).toEqual(['step 1', 'finished 1']);
  });

  it('refuses what a recording cannot do', async () => {
    const { trainer } = play();
    await expect(trainer.update()).rejects.toThrow(/A recording is what it was/);
    await expect(trainer.exportModel()).rejects.toThrow(/not kept/);
    await expect(trainer.start(null, { event: () => {} })).rejects.toThrow(/already playing/);
    expect(() => new RecordedTrainer([stepEvent(1)])).toThrow(/does not begin/);
    const kept = new RecordedTrainer(recording, {
      exportModel: () => Promise.resolve(new Map([['a', new Uint8Array(1)]])),
    });
    expect((await kept.exportModel()).size).toBe(1);
  });
});
