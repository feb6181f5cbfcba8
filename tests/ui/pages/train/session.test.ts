/** @file A session with its trainer (play, pause, step, reset), and the sources of runs. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { serializeEvents } from '../../../../src/runs/event-schema';
import type { RunConfig, RunEvent } from '../../../../src/runs/events';
import type { SavedRun } from '../../../../src/storage/run-storage';
import type { Resume, RunObserver, Trainer } from '../../../../src/runs/trainer';
import { lastStep } from '../../../../src/ui/pages/train/run/run-view';
import type { RunSource } from '../../../../src/ui/pages/train/run/run-source';
import { TrainSession } from '../../../../src/ui/pages/train/run/session.svelte';
import { configFromLink } from '../../../../src/ui/pages/train/run/link-config';
import { openSource, resumedSource, type SourceParts } from '../../../../src/ui/pages/train/run/sources';
import { fixtureConfig, syntheticRun } from './fixture';

const small = { num_prompts: 2, num_generations: 4, eval_steps: 0, save_steps: 2 };
const events = [...syntheticRun(small, 6)];

/** Sends prepared events when asked to. */
class ScriptedTrainer implements Trainer {
  readonly calls: string[] = [];
  send: (event: RunEvent) => void = () => {};
  started: { config: RunConfig; resume: Resume | undefined } | null = null;
  failing: string[] = [];
  #at = 0;

  async start(config: RunConfig, observer: RunObserver, resume?: Resume): Promise<void> {
    this.#call('start');
    this.started = { config, resume };
    this.send = (event) => observer.event(event);
    this.#until('started');
  }
  async resume(): Promise<void> {
    this.#call('resume');
  }
  async pause(): Promise<void> {
    this.#call('pause');
  }
  async step(): Promise<void> {
    this.#call('step');
    this.#until('step');
  }
  async stop(): Promise<void> {
    this.#call('stop');
    this.send({ type: 'finished', step: 1, reason: 'stopped' });
  }
  async update(): Promise<void> {
    this.#call('update');
  }
  async exportModel(): Promise<Map<string, Uint8Array>> {
    return new Map();
  }
  #call(name: string): void {
    this.calls.push(name);
    if (this.failing.includes(name)) throw new Error(`${name} went wrong`);
  }
  #until(type: RunEvent['type']): void {
    for (;;) {
      const event = events[this.#at++]!;
      this.send(event);
      if (event.type === type) return;
    }
  }
}

function setUp() {
  const trainers: ScriptedTrainer[] = [];
  const kept: RunEvent[] = [];
  const source: RunSource = {
    kind: 'live',
    config: fixtureConfig,
    make: () => {
      trainers.push(new ScriptedTrainer());
      return trainers.at(-1)!;
    },
    listen: (event) => kept.push(event),
  };
  return { session: new TrainSession(), trainers, kept, source };
}

beforeEach(() => {
  vi.stubGlobal('requestAnimationFrame', () => 1);
  vi.stubGlobal('cancelAnimationFrame', () => {});
});
afterEach(() => vi.unstubAllGlobals());

describe('a session', () => {
  it('loads a run, takes single steps, plays and pauses', async () => {
    const { session, trainers, kept, source } = setUp();
    await session.prepare(source);
    expect(session.status).toBe('paused');
    await session.step();
    expect(session.status).toBe('paused');
    await session.play();
    expect(session.status).toBe('running');
    await session.step();
    await session.pause();
    expect(session.status).toBe('paused');
    expect(trainers[0]!.calls).toEqual(['start', 'step', 'resume', 'pause']);
    session.run.flush();
    expect(lastStep(session.run.view)).toBe(1);
    expect(kept.map((event) => event.type)).toEqual(['started', 'eval', 'step']);
  });

  it('updates the view once per frame, not for each event', async () => {
    const { session, source } = setUp();
    await session.prepare(source);
    expect(session.run.view.phase).toBe('empty');
    session.run.flush();
    expect(session.run.view.phase).toBe('going');
  });

  it('ends with the run', async () => {
    const { session, trainers, source } = setUp();
    await session.prepare(source);
    await session.play();
    trainers[0]!.send({ type: 'finished', step: 1, reason: 'max_steps' });
    expect(session.status).toBe('ended');
    await session.play();
    expect(trainers[0]!.calls).toEqual(['start', 'resume']);
  });

  it('resets to the same start with a new trainer and ignores the old one', async () => {
    const { session, trainers, source } = setUp();
    await session.prepare(source);
    await session.step();
    await session.update({ learning_rate: 1e-4 });
    await session.prepare(session.again()!);
    expect(trainers[0]!.calls.at(-1)).toBe('stop');
    expect(trainers[1]!.started?.config).toEqual({ ...fixtureConfig, learning_rate: 1e-4 });
    session.run.flush();
    expect(lastStep(session.run.view)).toBe(0);
    trainers[0]!.send(events.find((event) => event.type === 'step')!);
    session.run.flush();
    expect(lastStep(session.run.view)).toBe(0);
    expect(session.status).toBe('paused');
  });

  it('says why a run could not start, and can start another', async () => {
    const { session, source } = setUp();
    await session.prepare({ ...source, make: () => Promise.reject(new Error('no model of that name')) });
    expect([session.status, session.error]).toEqual(['empty', 'no model of that name']);
    await session.prepare(source);
    expect([session.status, session.error]).toEqual(['paused', '']);
  });

  it('reports a refused change and continues', async () => {
    const { session, trainers, source } = setUp();
    await session.prepare(source);
    trainers[0]!.failing = ['update'];
    await session.update({ learning_rate: NaN });
    expect([session.status, session.error]).toEqual(['paused', 'update went wrong']);
    expect(session.config?.learning_rate).toBe(3e-4);
  });

  it('ends when the trainer breaks', async () => {
    const { session, trainers, source } = setUp();
    await session.prepare(source);
    trainers[0]!.failing = ['step'];
    await session.step();
    expect([session.status, session.error]).toEqual(['ended', 'step went wrong']);
  });
});

const savedRun: SavedRun = {
  id: 'fixture',
  name: 'Chain sums',
  created: 0,
  updated: 0,
  config: fixtureConfig,
  model: { name: 'tinythink-1m', parameters: 1, architecture: 'llama', reads_language: false },
  device: { kind: 'webgpu', description: 'none' },
  last_step: 6,
  status: 'finished',
  accuracy: null,
  bytes: 0,
};

describe('openSource', () => {
  const text = serializeEvents(events);
  function parts(): SourceParts {
    return {
      local: () => new ScriptedTrainer(),
      server: () => Promise.reject(new Error('no server')),
      keepRemote: () => Promise.resolve(null),
      storage: {
        get: (id) => Promise.resolve(id === 'fixture' ? savedRun : undefined),
        events: () => Promise.resolve(events),
      },
      keep: () => {},
      fetchRecording: () => Promise.resolve(new TextEncoder().encode(text)),
    };
  }
  const open = (query: string) => openSource(new URLSearchParams(query), parts());

  it('makes a live run from the config in the address', async () => {
    const source = await open('learning_rate=0.0001&task=mul');
    expect(source).toMatchObject({ kind: 'live', config: { learning_rate: 1e-4, task: 'mul' } });
  });

  it('plays a recording from its start', async () => {
    const source = await open('recording=sums');
    const session = new TrainSession();
    await session.prepare(source);
    await session.step();
    session.run.flush();
    expect(session.status).toBe('paused');
    expect(lastStep(session.run.view)).toBe(1);
    expect(session.run.view.started?.device.kind).toBe('recording');
    await session.prepare(session.again()!);
    session.run.flush();
    expect(lastStep(session.run.view)).toBe(0);
  });

  it('refuses names that are paths', async () => {
    await expect(open('recording=../secret')).rejects.toThrow('not the name of a recording');
  });

  it('shows a saved run as far as it got, and trains it again on a reset', async () => {
    const source = await open('run=fixture');
    const session = new TrainSession();
    await session.prepare(source);
    session.run.flush();
    expect(session.status).toBe('ended');
    expect(lastStep(session.run.view)).toBe(6);
    expect(source.again?.(source.config).kind).toBe('live');
  });

  it('resumes after a checkpoint with the history before it', async () => {
    const changed: RunEvent = { type: 'changed', step: 1, change: { learning_rate: 1e-5 } };
    const at = events.findIndex((event) => event.type === 'step') + 1;
    const source = await openSource(new URLSearchParams('run=fixture&resume=4'), {
      ...parts(),
      storage: {
        get: () => Promise.resolve(savedRun),
        events: () => Promise.resolve([...events.slice(0, at), changed, ...events.slice(at)]),
      },
    });
    expect(source).toMatchObject({
      kind: 'live',
      resume: { run_id: 'fixture', step: 4 },
      config: { learning_rate: 1e-5 },
    });
    const steps = source.history!.flatMap((event) => (event.type === 'step' ? [event.step] : []));
    expect(steps).toEqual([1, 2, 3, 4]);
    expect(source.history!.some((event) => event.type === 'finished')).toBe(false);
    expect(source.again?.(source.config)).toMatchObject({ config: { learning_rate: 3e-4 } });
  });

  it('continues a finished run for more steps, and again from the longer run', async () => {
    const source = resumedSource(events, 6, parts(), 106);
    expect(source).toMatchObject({ resume: { run_id: 'fixture', step: 6 }, config: { max_steps: 106 } });
    const [started] = events as [Extract<RunEvent, { type: 'started' }>];
    const longer: RunEvent[] = [...events, { ...started, config: source.config }];
    expect(resumedSource(longer, 6, parts()).config.max_steps).toBe(106);
  });

  it('opens a preset with changed settings', async () => {
    expect(await open('preset=collapse&seed=7')).toMatchObject({ config: { learning_rate: 1e-3, seed: 7 } });
    expect(configFromLink(new URLSearchParams('preset=nowhere')).problems).toMatchObject([{ param: 'preset' }]);
  });

  it('says so when a run is not saved here', async () => {
    await expect(open('run=other')).rejects.toThrow('not saved on this device');
  });
});
