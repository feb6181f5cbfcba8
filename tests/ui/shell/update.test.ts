/** @file Updates of the app, and the work that they would interrupt. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Activity, type Locks } from '../../../src/ui/shell/activity.svelte';
import { AppUpdate } from '../../../src/ui/shell/app-update.svelte';

class FakeWorker extends EventTarget {
  messages: unknown[] = [];
  constructor(public state: ServiceWorkerState) {
    super();
  }
  postMessage(message: unknown): void {
    this.messages.push(message);
  }
  become(state: ServiceWorkerState): void {
    this.state = state;
    this.dispatchEvent(new Event('statechange'));
  }
}

class FakeRegistration extends EventTarget {
  installing: FakeWorker | null = null;
  waiting: FakeWorker | null = null;
  active: FakeWorker | null = null;
  update = () => Promise.resolve();
  /** A newer script was found and has been stored. */
  find(): FakeWorker {
    const worker = (this.installing = new FakeWorker('installing'));
    this.dispatchEvent(new Event('updatefound'));
    this.installing = null;
    this.waiting = worker;
    worker.become('installed');
    return worker;
  }
}

class FakeContainer extends EventTarget {
  controller: FakeWorker | null = null;
  registration = new FakeRegistration();
  register = () => Promise.resolve(this.registration);
}

let container: FakeContainer;
let reload: ReturnType<typeof vi.fn<() => void>>;
beforeEach(() => {
  vi.useFakeTimers();
  container = new FakeContainer();
  reload = vi.fn<() => void>();
});

async function register(activity = new Activity(undefined)): Promise<AppUpdate> {
  const update = new AppUpdate();
  await update.register('sw.js', { container: container as unknown as ServiceWorkerContainer, activity, reload });
  return update;
}

/** As on a later visit: a worker answers for the page. */
function visitedBefore(): void {
  container.registration.active = container.controller = new FakeWorker('activated');
}

describe('an update', () => {
  test('the first visit stores the app and announces nothing', async () => {
    const { registration } = container;
    registration.installing = new FakeWorker('installing');
    const update = await register();
    registration.installing.become('installed');
    expect(update.offline).toBe(false);
    registration.installing.become('activated');
    container.dispatchEvent(new Event('controllerchange'));
    expect([update.status, update.offline]).toEqual(['current', true]);
    expect(reload).not.toHaveBeenCalled();
  });

  test('waits until it is applied, then reloads the page', async () => {
    visitedBefore();
    const update = await register();
    expect(update.status).toBe('current');
    const worker = container.registration.find();
    expect(update.status).toBe('ready');
    expect(worker.messages).toEqual([]);
    update.apply();
    expect(worker.messages).toEqual([{ type: 'SKIP_WAITING' }]);
    expect(reload).not.toHaveBeenCalled();
    container.dispatchEvent(new Event('controllerchange'));
    expect(reload).toHaveBeenCalledOnce();
  });

  test('is announced at once if it was found on an earlier visit', async () => {
    visitedBefore();
    container.registration.waiting = new FakeWorker('installed');
    expect((await register()).status).toBe('ready');
  });

  test('that another tab applied doesn’t reload this one', async () => {
    visitedBefore();
    const update = await register();
    container.registration.find();
    container.dispatchEvent(new Event('controllerchange'));
    expect(update.status).toBe('replaced');
    expect(reload).not.toHaveBeenCalled();
  });

  test('says what reloading would interrupt', async () => {
    const activity = new Activity(undefined);
    const update = await register(activity);
    const end = activity.begin('an answer');
    expect(await update.interrupts()).toEqual({ here: ['an answer'], elsewhere: false });
    end();
    end();
    expect(await update.interrupts()).toEqual({ here: [], elsewhere: false });
  });
});

describe('activity', () => {
  /** One lock manager, as the tabs of a site share it. */
  function locks(): Locks {
    const held: LockInfo[] = [];
    return {
      request: async (name: string, _: LockOptions, work: (lock: null) => unknown) => {
        held.push({ name });
        await work(null);
        held.pop();
      },
      query: () => Promise.resolve({ held: [...held] }),
    } as unknown as Locks;
  }

  test('other tabs see that this one has work under way, until it ends', async () => {
    const shared = locks();
    const [here, there] = [new Activity(shared), new Activity(shared)];
    const first = here.begin('a run');
    const second = here.begin('a run');
    expect([await here.elsewhere(), await there.elsewhere()]).toEqual([false, true]);
    first();
    expect([here.current, await there.elsewhere()]).toEqual([['a run'], true]);
    second();
    await vi.advanceTimersByTimeAsync(0);
    expect([here.current, await there.elsewhere()]).toEqual([[], false]);
  });
});
