/**
 * @file The service worker from the page's side: registers it, notices when a newer version of the app is ready, and lets
 * it take over only when told. Until then page and worker belong to one build, down to the chunks that are loaded late.
 */
import { activity, type Activity } from './activity.svelte';

/** How often a page that stays open asks whether there is a newer version, in milliseconds. */
const ASK_EVERY = 3_600_000;

/**
 * `current`: nothing to do. `ready`: a newer version is stored and waits. `switching`: it takes over, then the page
 * reloads. `replaced`: another tab let it take over, so that parts this page has not loaded yet may be gone.
 */
export type UpdateStatus = 'current' | 'ready' | 'switching' | 'replaced';

/** Of the browser, what is used; handed in by the tests. */
export interface UpdateParts {
  container: ServiceWorkerContainer;
  activity: Pick<Activity, 'current' | 'elsewhere'>;
  reload(): void;
}

export class AppUpdate {
  status = $state<UpdateStatus>('current');
  /** Whether the app is stored, so that it opens without a network. */
  offline = $state(false);
  #parts: UpdateParts | null = null;
  #registration: ServiceWorkerRegistration | null = null;

  /** @param script relative to the document, whose folder is what the worker sees. @throws what the browser throws when it doesn't allow a service worker; the app works without one */
  async register(script: string, parts: UpdateParts): Promise<void> {
    this.#parts = parts;
    const { container } = parts;
    let controlled = container.controller !== null;
    container.addEventListener('controllerchange', () => {
      // The first visit's worker takes over a page of its own build.
      if (this.status === 'switching') parts.reload();
      else if (controlled) this.status = 'replaced';
      controlled = true;
    });
    const registration = await container.register(script);
    this.#registration = registration;
    this.offline = registration.active !== null;
    this.#watch(registration.installing);
    registration.addEventListener('updatefound', () => this.#watch(registration.installing));
    if (registration.waiting && registration.active) this.status = 'ready';
    // Without a network it fails, and is asked again later.
    setInterval(() => void registration.update().catch(() => {}), ASK_EVERY);
  }

  /** What reloading would interrupt: here, in a few words each, and whether there is something in another tab. */
  async interrupts(): Promise<{ here: readonly string[]; elsewhere: boolean }> {
    const parts = this.#parts;
    return { here: parts?.activity.current ?? [], elsewhere: (await parts?.activity.elsewhere()) ?? false };
  }

  /** Reloads the page with the newer version. What goes on is interrupted: ask before. */
  apply(): void {
    const waiting = this.#registration?.waiting;
    if (this.status === 'ready' && waiting) {
      this.status = 'switching';
      // A page that the worker doesn't control (reloaded with Shift) hears of no change of controller.
      waiting.addEventListener('statechange', () => waiting.state === 'activated' && this.#parts?.reload());
      waiting.postMessage({ type: 'SKIP_WAITING' });
    } else this.#parts?.reload();
  }

  #watch(worker: ServiceWorker | null): void {
    worker?.addEventListener('statechange', () => {
      if (worker.state === 'activated') this.offline = true;
      if (worker.state === 'installed' && this.#registration?.active && this.status === 'current')
        this.status = 'ready';
    });
  }
}

export const appUpdate = new AppUpdate();

/** Registers the built app's service worker; nothing while developing, or where the browser has none. */
export async function keepAppOffline(): Promise<void> {
  const container = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (!import.meta.env.PROD || !container) return;
  try {
    await appUpdate.register('sw.js', { container, activity, reload: () => location.reload() });
  } catch (error) {
    console.warn('The app is not kept for use without a network.', error);
  }
}
