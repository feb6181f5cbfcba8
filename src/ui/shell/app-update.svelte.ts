/**
 * @file The page's side of the service worker: registers it, notices when a new version of the app is ready, and activates
 * that version only on request. Until then the page and the worker are of the same build, including chunks that are
 * loaded later.
 */
import { activity, type Activity } from './activity.svelte';

/** How often a page that stays open checks for a new version, in milliseconds. */
const CHECK_INTERVAL = 3_600_000;

/**
 * `current`: nothing to do. `ready`: a new version is stored and waits. `switching`: it is being activated, then the page
 * reloads. `replaced`: another tab activated it, so parts that this page hasn't loaded yet may be gone.
 */
export type UpdateStatus = 'current' | 'ready' | 'switching' | 'replaced';

/** What is used of the browser; tests pass their own. */
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

  /**
   * @param script relative to the document, whose folder becomes the worker's scope
   * @throws what the browser throws when it doesn't allow a service worker; the app works without one
   */
  async register(script: string, parts: UpdateParts): Promise<void> {
    this.#parts = parts;
    const { container } = parts;
    let controlled = container.controller !== null;
    container.addEventListener('controllerchange', () => {
      // On a first visit, the worker takes control of a page of its own build, which is no change.
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
    // Fails without a network, and is tried again later.
    setInterval(() => void registration.update().catch(() => {}), CHECK_INTERVAL);
  }

  /** What reloading would interrupt in this tab, as noun phrases, and whether another tab has work under way. */
  async interrupts(): Promise<{ here: readonly string[]; elsewhere: boolean }> {
    const parts = this.#parts;
    return { here: parts?.activity.current ?? [], elsewhere: (await parts?.activity.elsewhere()) ?? false };
  }

  /** Reloads the page with the new version, which interrupts work under way: ask first. */
  apply(): void {
    const waiting = this.#registration?.waiting;
    if (this.status === 'ready' && waiting) {
      this.status = 'switching';
      // A page that the worker doesn't control (reloaded with Shift) gets no controllerchange event.
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

/** Registers the service worker of a production build, where the browser supports one. */
export async function keepAppOffline(): Promise<void> {
  const container = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (!import.meta.env.PROD || !container) return;
  try {
    await appUpdate.register('sw.js', { container, activity, reload: () => location.reload() });
  } catch (error) {
    console.warn('The app could not be stored for offline use.', error);
  }
}
