/**
 * @file How long the page's main thread is busy at a stretch, from the browser's own trace. Tasks are measured in CPU
 * time: on a machine that emulates a GPU with every core it has, wall time would measure the machine's load.
 */
import type { Browser, Page } from 'playwright-core';

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** Microseconds of wall time, and of the thread's own time. */
  dur?: number;
  tdur?: number;
  args?: { name?: string };
}

/** Milliseconds of CPU time of every main-thread task while `action` runs, longest first. */
export async function mainThreadTasks(browser: Browser, page: Page, action: () => Promise<void>): Promise<number[]> {
  await browser.startTracing(page, { categories: ['toplevel'] });
  try {
    await action();
  } catch (error) {
    await browser.stopTracing();
    throw error;
  }
  const trace = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  const mains = new Set(
    trace.traceEvents
      .filter((event) => event.name === 'thread_name' && event.args?.name === 'CrRendererMain')
      .map((event) => `${event.pid}/${event.tid}`),
  );
  const tasks = trace.traceEvents.filter(
    (event) =>
      event.name === 'ThreadControllerImpl::RunTask' && event.ph === 'X' && mains.has(`${event.pid}/${event.tid}`),
  );
  if (tasks.length === 0) throw new Error('the trace has no main-thread tasks: its format must have changed');
  return tasks.map((task) => (task.tdur ?? task.dur ?? 0) / 1000).sort((a, b) => b - a);
}
