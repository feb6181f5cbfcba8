/** @file A worker that hangs is noticed, one that is only busy is not, and a restart ends what was on it. */
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RunStorage } from '../../src/storage/run-storage';
import { EngineHealth, type SilentEngine } from '../../src/worker/engine-health';
import { watchHeartbeat } from '../../src/worker/heartbeat';
import { clientOf } from '../support/worker';

describe('watchHeartbeat', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function watched() {
    const state = { answers: true, pings: 0, changes: [] as boolean[], answer: () => {} };
    const ping = () => {
      state.pings++;
      return state.answers ? Promise.resolve() : new Promise<void>((resolve) => (state.answer = resolve));
    };
    const stop = watchHeartbeat(ping, (silent) => state.changes.push(silent), { interval: 100, mostMissed: 5 });
    return { state, stop };
  }

  it('says nothing while the worker answers', async () => {
    const { state, stop } = watched();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(state.pings).toBeGreaterThan(90);
    expect(state.changes).toEqual([]);
    stop();
  });

  it('says when it falls silent, once, and when it is back', async () => {
    const { state, stop } = watched();
    await vi.advanceTimersByTimeAsync(200);
    state.answers = false;
    await vi.advanceTimersByTimeAsync(450);
    expect(state.changes).toEqual([]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(state.changes).toEqual([true]);
    state.answers = true;
    state.answer();
    await vi.advanceTimersByTimeAsync(1000);
    expect(state.changes).toEqual([true, false]);
    stop();
    const { pings } = state;
    await vi.advanceTimersByTimeAsync(1000);
    expect(state.pings).toBe(pings);
  });

  it('waits for a worker whose program is still loading', async () => {
    const state = { changes: [] as boolean[] };
    const stop = watchHeartbeat(
      () => new Promise(() => {}),
      (silent) => state.changes.push(silent),
      { interval: 100, mostMissed: 5 },
    );
    await vi.advanceTimersByTimeAsync(60_000);
    expect(state.changes).toEqual([]);
    stop();
  });
});

it('offers to restart an engine that hangs; what was on it fails with words, and the next use starts another', async () => {
  const health = new EngineHealth();
  const seen: (SilentEngine | null)[] = [];
  health.watch((silent) => seen.push(silent));
  const engine = {
    openTraining: () => Promise.reject(new Error('not here')),
    openChatModel: () => Promise.reject(new Error('not here')),
    planRun: () => Promise.resolve({}),
  };
  const { client, workers, close } = clientOf(
    { storage: new RunStorage('heartbeat'), engine },
    { health, heartbeat: { interval: 20, mostMissed: 3 } },
  );
  expect((await client.probe()).available).toBe(true);
  workers[0]!.hangs = true;
  const asked = client.storedModels();
  asked.catch(() => {});
  await vi.waitFor(() => expect(seen.at(-1)).not.toBeNull(), { timeout: 20_000 });
  seen.at(-1)!.restart();
  await expect(asked).rejects.toThrow(/did not answer any more.*continues from its last checkpoint/);
  expect(workers[0]!.terminated).toBe(true);
  expect(seen.at(-1)).toBeNull();
  expect((await client.probe()).available).toBe(true);
  expect(workers).toHaveLength(2);
  client.dispose();
  close();
}, 60_000);
