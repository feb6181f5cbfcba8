/** @file The run loop: order of events, pausing, live changes, checkpoints, a lost GPU, divergence, bad input. */
import { describe, expect, it, vi } from 'vitest';
import { readSafetensors, toFloat32 } from '../../../src/formats/hf/safetensors';
import type { RunConfig } from '../../../src/rl/config';
import type { ChatModel, ChatToken } from '../../../src/runs/chat-model';
import { defaultRunConfig } from '../../../src/runs/config';
import type { RunEvent } from '../../../src/runs/events';
import { parseEvents, serializeEvents } from '../../../src/runs/event-schema';
import { effectiveEvents } from '../../../src/runs/history';
import type { RunStatus } from '../../../src/runs/trainer';
import { LocalTrainer } from '../../../src/engine/training/local-trainer';
import type { LocalTrainerParts } from '../../../src/engine/training/local-trainer';
import type { EnginePlan } from '../../runs/fixtures';
import { TestEngine, tinyModel } from '../../runs/fixtures';

const short: RunConfig = { ...defaultRunConfig, max_steps: 6, eval_steps: 2, save_steps: 2, seed: 3 };

function setup(plan: EnginePlan = {}, parts: Partial<LocalTrainerParts> = {}) {
  const events: RunEvent[] = [];
  const statuses: RunStatus[] = [];
  const warnings: string[] = [];
  const engines: TestEngine[] = [];
  const saved = new Map<number, Uint8Array>();
  const trainer = new LocalTrainer({
    openModel: tinyModel,
    openSession(config, model) {
      const engine = new TestEngine(config, model, plan);
      engines.push(engine);
      return Promise.resolve(engine);
    },
    device: () => 'test adapter',
    saveCheckpoint: (_, step, bytes) => Promise.resolve(void saved.set(step, bytes)),
    loadCheckpoint: (_, step) => Promise.resolve(saved.get(step)),
    newId: () => 'the-run',
    wait: () => new Promise((resolve) => setTimeout(resolve, 2)),
    ...parts,
  });
  const start = (config = short, resume?: { run_id: string; step: number }) =>
    trainer.start(
      config,
      {
        event: (event) => void events.push(event),
        status: (status) => void statuses.push(status),
        warning: (message) => void warnings.push(message),
      },
      resume,
    );
  const ended = () =>
    vi.waitFor(() => expect(['finished', 'failed']).toContain(events.at(-1)?.type), { timeout: 3000 });
  return { trainer, events, statuses, warnings, engines, saved, start, ended };
}
const outline = (events: RunEvent[]) =>
  events.map((event) => `${event.type}${'step' in event ? ` ${event.step}` : ''}`);
const states = (events: RunEvent[]) =>
  effectiveEvents(events).flatMap((event) => (event.type === 'step' ? [event.metrics.state] : []));
const norm = (file: Uint8Array) => toFloat32(readSafetensors(file).tensors.get('model.norm.weight')!)[0];
/** 2·state + step + 3 from 1, six times. */
const expected = [6, 17, 40, 87, 182, 373];

describe('a supervised start', () => {
  const cold: RunConfig = { ...short, max_steps: 2, cold_start_steps: 5, cold_start_dataset: 'lessons' };

  it('is measured before and after, as two evaluations of step 0 that a file keeps', async () => {
    const { trainer, events, start, ended } = setup();
    await start(cold);
    expect(events.map((event) => event.type === 'eval' && [event.phase, event.metrics.eval_accuracy])).toEqual([
      false,
      ['before_cold_start', -1],
      [undefined, 0],
    ]);
    trainer.resume();
    await ended();
    const read = effectiveEvents(parseEvents(serializeEvents(events)));
    expect(outline(read)).toEqual(outline(events));
    expect(read[1]).toMatchObject({ phase: 'before_cold_start' });
  });

  it('may be all of a run, whose model is then saved', async () => {
    const { trainer, events, saved, start, ended } = setup();
    await start({ ...cold, max_steps: 0 });
    trainer.resume();
    await ended();
    expect(outline(events).slice(1)).toEqual(['eval 0', 'eval 0', 'checkpoint 0', 'finished 0']);
    expect([...saved.keys()]).toEqual([0]);
  });

  it('is not measured again by a run that goes on', async () => {
    const first = setup();
    await first.start(cold);
    first.trainer.resume();
    await first.ended();
    const second = setup({}, { loadCheckpoint: (_, step) => Promise.resolve(first.saved.get(step)) });
    await second.start({ ...cold, max_steps: 4 }, { run_id: 'the-run', step: 2 });
    expect(outline(second.events)).toEqual(['started', 'interrupted 2']);
  });

  it('tells its progress, and what of its data was left out', async () => {
    const { start, statuses, warnings } = setup(
      {},
      {
        openSession: (config, model, tell) => {
          tell.status({ kind: 'loading', bytes: 5, total: 10 });
          tell.warning('3 too long');
          tell.status({ kind: 'sft', update: 1, updates: 5 });
          return Promise.resolve(new TestEngine(config, model));
        },
      },
    );
    await start(cold);
    expect(warnings).toEqual(['3 too long']);
    expect(statuses).toEqual([
      { kind: 'loading', bytes: 5, total: 10 },
      { kind: 'sft', update: 1, updates: 5 },
    ]);
  });
});

describe('LocalTrainer', () => {
  it('evaluates, waits, and runs to the end', async () => {
    const { trainer, events, engines, saved, start, ended } = setup();
    await start();
    expect(outline(events)).toEqual(['started', 'eval 0']);
    expect(events[0]).toMatchObject({
      run_id: 'the-run',
      seed: 3,
      config: short,
      device: { kind: 'webgpu', description: 'test adapter' },
      model: { name: 'tiny', architecture: 'LlamaForCausalLM' },
    });
    trainer.resume();
    await ended();
    expect(outline(events).slice(2)).toEqual([
      'step 1',
      'step 2',
      'eval 2',
      'checkpoint 2',
      'step 3',
      'step 4',
      'eval 4',
      'checkpoint 4',
      'step 5',
      'step 6',
      'eval 6',
      'checkpoint 6',
      'finished 6',
    ]);
    expect(events.at(-1)).toMatchObject({ reason: 'max_steps' });
    expect(events.find((event) => event.type === 'checkpoint')).toMatchObject({ reference: 'run:the-run@2' });
    expect(states(events)).toEqual(expected);
    expect(saved.size).toBe(3);
    expect(engines[0]!.destroyed).toBe(true);
    // The stream is a valid export.
    expect(parseEvents(serializeEvents(events))).toEqual(events);
    // The trained weights can be had after the end.
    expect(norm((await trainer.exportModel()).get('model.safetensors')!)).toBe(373);
  });

  it('steps singly, pauses after the step under way, and goes on as if it had not', async () => {
    const { trainer, events, start, ended } = setup();
    await start();
    await trainer.step();
    expect(outline(events).at(-1)).toBe('step 1');
    trainer.resume();
    await trainer.pause();
    const count = events.length;
    expect(count).toBeLessThan(10);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(events).toHaveLength(count);
    trainer.resume();
    await ended();
    expect(states(events)).toEqual(expected);
  });

  it('stops early with a checkpoint, and can be resumed from it, to the same end', async () => {
    const { trainer, events, saved, start } = setup();
    await start();
    for (let i = 0; i < 3; i++) await trainer.step();
    await trainer.stop();
    expect(outline(events).slice(-2)).toEqual(['checkpoint 3', 'finished 3']);
    expect(events.at(-1)).toMatchObject({ reason: 'stopped' });
    await trainer.stop();
    expect(outline(events).filter((line) => line.startsWith('finished'))).toHaveLength(1);

    const again = setup({}, { loadCheckpoint: (_, step) => Promise.resolve(saved.get(step)) });
    await again.start(short, { run_id: 'the-run', step: 3 });
    expect(outline(again.events)).toEqual(['started', 'interrupted 3']);
    expect(again.events[0]).toMatchObject({ run_id: 'the-run' });
    again.trainer.resume();
    await again.ended();
    expect(states([...events, ...again.events])).toEqual(expected);
  });

  it('finishes once, though it is stopped twice at the same time', async () => {
    const { trainer, events, start } = setup();
    await start();
    await trainer.step();
    await Promise.all([trainer.stop(), trainer.stop()]);
    expect(outline(events).slice(2)).toEqual(['step 1', 'checkpoint 1', 'finished 1']);
  });

  it('takes live changes at the next step, and only those', async () => {
    const { trainer, events, engines, start } = setup();
    await start();
    await trainer.step();
    trainer.update({ learning_rate: 1e-4, max_steps: 9 } as never);
    await trainer.step();
    expect(engines[0]!.lives).toEqual([{}, { learning_rate: 1e-4 }]);
    expect(events.filter((event) => event.type === 'changed')).toEqual([
      { type: 'changed', step: 1, change: { learning_rate: 1e-4 } },
    ]);
    expect(() => trainer.update({ learning_rate: NaN })).toThrow(/Learning rate/);
    await trainer.stop();
    expect(() => trainer.update({ temperature: 1 })).toThrow(/no run/);
  });

  it('exports between steps while it runs', async () => {
    const { trainer, events, start, ended } = setup();
    await start();
    trainer.resume();
    const files = await trainer.exportModel();
    expect([1, ...expected]).toContain(norm(files.get('model.safetensors')!));
    await ended();
    expect(events.at(-1)?.type).toBe('finished');
  });
});

describe('a lost GPU', () => {
  it('goes on from the last checkpoint on a new session, to the same end', async () => {
    let lost = false;
    const { trainer, events, engines, start, ended } = setup({
      beforeStep(step, engine) {
        if (step !== 4 || lost) return;
        lost = true;
        engine.lose('the driver was reset');
        // Calls on a lost device need not settle.
        return new Promise(() => {});
      },
    });
    await start();
    trainer.update({ temperature: 0.9 });
    trainer.resume();
    await ended();
    const interrupted = events.find((event) => event.type === 'interrupted');
    expect(interrupted).toEqual({ type: 'interrupted', step: 3, reason: 'the driver was reset', resumes_from: 2 });
    expect(events.at(-1)).toMatchObject({ type: 'finished', reason: 'max_steps' });
    expect(states(events)).toEqual(expected);
    expect(engines.map((engine) => engine.destroyed)).toEqual([true, true]);
    expect(engines[1]!.lives.every((live) => live.temperature === 0.9)).toBe(true);
  });

  it('is recognised when the call fails before the loss is announced', async () => {
    let lost = false;
    const { trainer, events, start, ended } = setup({
      beforeStep(step, engine) {
        if (step !== 1 || lost) return;
        lost = true;
        setTimeout(() => engine.lose('gone'), 1);
        throw new Error('mapAsync failed');
      },
    });
    await start();
    trainer.resume();
    await ended();
    expect(outline(events)).toContain('interrupted 0');
    expect(states(events)).toEqual(expected);
  });

  it('while the run is being stopped leaves it finished at its last checkpoint', async () => {
    const { trainer, events, engines, start } = setup();
    await start({ ...short, eval_steps: 0 });
    for (let i = 0; i < 3; i++) await trainer.step();
    engines[0]!.checkpoint = () => (engines[0]!.lose('the driver was reset'), new Promise(() => {}));
    await trainer.stop();
    expect(outline(events).slice(-3)).toEqual(['step 3', 'interrupted 3', 'finished 2']);
    expect(engines.map((engine) => engine.destroyed)).toEqual([true, true]);
  });

  it('ends the run after three losses in a row, with the last checkpoint kept', async () => {
    const { trainer, events, engines, saved, start, ended } = setup({
      beforeStep(step, engine) {
        if (step === 4) engine.lose('out of memory');
        return step === 4 ? new Promise(() => {}) : undefined;
      },
    });
    await start({ ...short, save_steps: 0, eval_steps: 0 });
    trainer.resume();
    await ended();
    expect(events.at(-1)).toMatchObject({
      type: 'failed',
      reason: expect.stringMatching(/lost 3 times in a row \(out of memory\)/) as string,
    });
    expect(engines).toHaveLength(3);
    expect(engines.every((engine) => engine.destroyed)).toBe(true);
    // Without a saved step there was only the start to go back to, which needs no saving.
    expect(saved.size).toBe(0);
  });

  it('counts a device that does not come back, too', async () => {
    let made = 0;
    const { trainer, events, start, ended } = setup(
      { beforeStep: (_, engine) => (engine.lose('reset'), new Promise<void>(() => {})) },
      {
        openSession: (config, model) =>
          made++ === 0
            ? Promise.resolve(
                new TestEngine(config, model, { beforeStep: (_, e) => (e.lose('reset'), new Promise(() => {})) }),
              )
            : Promise.reject(new Error('no adapter')),
      },
    );
    await start();
    trainer.resume();
    await ended();
    expect(made).toBe(3);
    expect(events.at(-1)).toMatchObject({ reason: expect.stringMatching(/in a row \(no adapter\)/) as string });
  });
});

const request = { messages: [], max_tokens: 2, temperature: 0, top_k: 0, top_p: 1, seed: 0 };
const never = new AbortController().signal;

async function answer(chat: ChatModel, signal = never): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of chat.generate(request, signal)) texts.push(text);
  return texts;
}

describe('a chat answer in the memory of the session', () => {
  /** A model that answers with the state of the session twice; the second token comes when it is let on, or not at all. */
  function gated() {
    let letOn = () => {};
    const gate = new Promise<void>((resolve) => (letOn = resolve));
    let begun = 0;
    let left = 0;
    const chatModel: EnginePlan['chatModel'] = (_, engine) => ({
      name: 'tiny',
      async *generate(_request, signal) {
        begun++;
        try {
          if (engine.busy++ > 0) throw new Error('two calls at once');
          yield { text: String(engine.state) };
          await Promise.race([gate, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
          if (!signal.aborted) yield { text: String(engine.state), finish: 'stop' };
        } finally {
          engine.busy--;
          left++;
        }
      },
    });
    return { chatModel, letOn, begun: () => begun, left: () => left };
  }

  it('takes turns with steps and other answers', async () => {
    const { chatModel, letOn, begun } = gated();
    const { trainer, events, start, ended } = setup({ chatModel });
    await start();
    await trainer.step();
    const chat = await trainer.openChatModel('current');
    const answers = [answer(chat), answer(chat)];
    await vi.waitFor(() => expect(begun()).toBe(1));
    trainer.resume();
    letOn();
    expect(await Promise.all(answers)).toEqual([
      ['6', '6'],
      ['6', '6'],
    ]);
    await ended();
    expect(states(events)).toEqual(expected);
  });

  it('makes room when it is aborted, and when its reader leaves', async () => {
    const { chatModel, begun, left } = gated();
    const { trainer, start } = setup({ chatModel });
    await start();
    const chat = await trainer.openChatModel('current');
    const abort = new AbortController();
    const aborted = answer(chat, abort.signal);
    await vi.waitFor(() => expect(begun()).toBe(1));
    abort.abort();
    expect(await aborted).toEqual(['1']);
    for await (const { text } of chat.generate(request, never)) {
      expect(text).toBe('1');
      break;
    }
    expect(left()).toBe(2);
    await trainer.step();
    expect(await answer(chat, AbortSignal.abort())).toEqual([]);
    await trainer.step();
    expect(begun()).toBe(2);
  });

  it('that is aborted while it waits for its turn ends at once', async () => {
    const { chatModel, letOn, begun } = gated();
    const { trainer, events, start } = setup({ chatModel });
    await start();
    const chat = await trainer.openChatModel('current');
    const first = answer(chat);
    await vi.waitFor(() => expect(begun()).toBe(1));
    const abort = new AbortController();
    const second = answer(chat, abort.signal);
    abort.abort();
    expect(await second).toEqual([]);
    letOn();
    expect(await first).toEqual(['1', '1']);
    await trainer.step();
    expect(begun()).toBe(1);
    expect(outline(events).at(-1)).toBe('step 1');
  });

  it('keeps no step that was waiting for it, once the run is paused', async () => {
    const { chatModel, letOn, begun } = gated();
    const { trainer, events, start, ended } = setup({ chatModel });
    await start();
    const chat = await trainer.openChatModel('current');
    const answered = answer(chat);
    await vi.waitFor(() => expect(begun()).toBe(1));
    trainer.resume();
    const paused = trainer.pause();
    letOn();
    await Promise.all([answered, paused]);
    expect(outline(events)).toEqual(['started', 'eval 0']);
    trainer.resume();
    await ended();
    expect(states(events)).toEqual(expected);
  });

  it('ends with the run when that is stopped, as do those that wait, with the reason', async () => {
    const { chatModel, begun } = gated();
    const { trainer, events, engines, start } = setup({ chatModel });
    await start();
    await trainer.step();
    const chat = await trainer.openChatModel('current');
    const answers = [answer(chat), answer(chat)].map((each) => expect(each).rejects.toThrow(/run has ended/));
    await vi.waitFor(() => expect(begun()).toBe(1));
    await trainer.stop();
    await Promise.all(answers);
    expect(outline(events).slice(-2)).toEqual(['checkpoint 1', 'finished 1']);
    expect(engines[0]!.destroyed).toBe(true);
    await expect(answer(chat)).rejects.toThrow(/run has ended/);
    expect(begun()).toBe(1);
  });

  it('whose own error ends it costs the run nothing', async () => {
    const chatModel = () => ({
      name: 'tiny',
      // eslint-disable-next-line require-yield
      async *generate(): AsyncGenerator<ChatToken> {
        await Promise.resolve();
        throw new RangeError('too long');
      },
    });
    const { trainer, events, start } = setup({ chatModel });
    await start();
    const chat = await trainer.openChatModel('current');
    await expect(answer(chat)).rejects.toThrow('too long');
    await trainer.step();
    expect(outline(events).at(-1)).toBe('step 1');
  });

  it('that is left after the GPU was lost takes the run back at once', async () => {
    const { chatModel } = gated();
    const { trainer, events, engines, start } = setup({ chatModel });
    await start();
    const chat = await trainer.openChatModel('current');
    for await (const _ of chat.generate(request, never)) {
      engines[0]!.lose('the driver was reset');
      break;
    }
    // Opened while there is no session: in the memory of the next one.
    await vi.waitFor(() => expect(outline(events).at(-1)).toBe('interrupted 0'));
    const next = await trainer.openChatModel('current');
    expect(engines).toHaveLength(2);
    for await (const { text } of next.generate(request, never)) {
      expect(text).toBe('1');
      break;
    }
  });

  it('fails when the GPU is lost, while the run goes on, and the next answer comes from the new session', async () => {
    const { trainer, events, engines, start, ended } = setup({
      chatModel: (_, engine) => ({
        name: 'tiny',
        async *generate() {
          yield { text: String(engine.state) };
          if (engines.length > 1) return;
          engine.lose('the driver was reset');
          await new Promise(() => {});
        },
      }),
    });
    await start();
    await trainer.step();
    await trainer.step();
    await trainer.step();
    const chat = await trainer.openChatModel('current');
    await expect(answer(chat)).rejects.toThrow('the driver was reset');
    expect(await answer(chat)).toEqual([String(expected[1])]);
    expect(events.find((event) => event.type === 'interrupted')).toMatchObject({ step: 3, resumes_from: 2 });
    trainer.resume();
    await ended();
    expect(states(events)).toEqual(expected);
    expect(engines.map((engine) => engine.destroyed)).toEqual([true, true]);
  });
});

describe('what goes wrong', () => {
  it.each(['loss', 'grad_norm'])('ends a run whose %s is NaN, keeping the last good weights', async (name) => {
    const { trainer, events, saved, start, ended } = setup({
      metrics: (step) => ({ loss: 0.1, grad_norm: 1, [name]: step === 4 ? NaN : 0.5 }),
    });
    await start({ ...short, save_steps: 3 });
    trainer.resume();
    await ended();
    expect(outline(events).slice(-2)).toEqual(['step 4', 'failed 4']);
    expect(events.at(-1)).toMatchObject({
      reason: expect.stringMatching(new RegExp(`^${name} is NaN at step 4: .*lower learning rate`)) as string,
    });
    expect([...saved.keys()]).toEqual([3]);
    expect(norm((await trainer.exportModel()).get('model.safetensors')!)).toBe(40);
  });

  it('saves the last good weights of a run that fails, though they were held only in memory', async () => {
    const { trainer, events, saved, start, ended } = setup({ metrics: (step) => ({ loss: step === 23 ? NaN : 0.5 }) });
    await start({ ...short, save_steps: 0, eval_steps: 0, max_steps: 30 });
    trainer.resume();
    await ended();
    expect(outline(events).slice(-3)).toEqual(['step 23', 'checkpoint 20', 'failed 23']);
    expect([...saved.keys()]).toEqual([20]);
  });

  it('reports an error of the engine as the end of the run', async () => {
    const { trainer, events, engines, start, ended } = setup({
      beforeStep(step) {
        if (step === 2) throw new Error('shader did not compile');
      },
    });
    await start();
    trainer.resume();
    await ended();
    expect(events.at(-1)).toEqual({ type: 'failed', step: 1, reason: 'shader did not compile' });
    expect(engines[0]!.destroyed).toBe(true);
    await trainer.step();
    await trainer.stop();
    expect(outline(events).at(-1)).toBe('failed 1');
  });

  it('goes on when a checkpoint cannot be saved', async () => {
    const saveCheckpoint = () => Promise.reject(new Error('The storage is full.'));
    const { trainer, events, warnings, start, ended } = setup({}, { saveCheckpoint });
    await start();
    trainer.resume();
    await ended();
    expect(events.at(-1)).toMatchObject({ type: 'finished' });
    expect(outline(events).some((line) => line.startsWith('checkpoint'))).toBe(false);
    expect(warnings[0]).toBe('The checkpoint of step 2 was not saved. The storage is full.');
  });

  it('refuses a config that cannot run before anything is made', async () => {
    const { events, engines, start, trainer } = setup();
    await expect(start({ ...short, num_generations: 1, learning_rate: NaN })).rejects.toThrow(
      /Group size is 1[^]*Learning rate/,
    );
    expect([events, engines]).toEqual([[], []]);
    await expect(start()).rejects.toThrow(/has been used/);
    await expect(trainer.exportModel()).rejects.toThrow(/no model/);
  });

  it('refuses completions beyond the model, a missing model, a session that does not fit, a missing checkpoint', async () => {
    await expect(setup().start({ ...short, max_completion_length: 600 })).rejects.toThrow(/at most 512 tokens/);
    const gone = setup({}, { openModel: () => Promise.reject(new Error('models/x has no config.json')) });
    await expect(gone.start()).rejects.toThrow('models/x has no config.json');
    const big = setup({}, { openSession: () => Promise.reject(new Error('needs 9 GB')) });
    await expect(big.start()).rejects.toThrow('needs 9 GB');
    await expect(setup().start(short, { run_id: 'x', step: 40 })).rejects.toThrow(/no saved checkpoint of step 40/);
  });

  it('can be stopped at the end of its start', async () => {
    const { trainer, events, engines, start } = setup(
      {},
      {
        openSession: (config, model) => {
          const engine = new TestEngine(config, model);
          const checkpoint = engine.checkpoint.bind(engine);
          engine.checkpoint = () => (void trainer.stop(), checkpoint());
          engines.push(engine);
          return Promise.resolve(engine);
        },
      },
    );
    await expect(start()).rejects.toThrow(/stopped before it began/);
    expect(events).toEqual([]);
    expect(engines.map((engine) => engine.destroyed)).toEqual([true]);
  });

  it('can be stopped while it starts', async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    const { trainer, events, engines, start } = setup({}, { openModel: () => gate.then(tinyModel) });
    const starting = start();
    const stopped = trainer.stop();
    release();
    await expect(starting).rejects.toThrow(/stopped before it began/);
    await stopped;
    expect(events).toEqual([]);
    expect(engines.every((engine) => engine.destroyed)).toBe(true);
  });
});
