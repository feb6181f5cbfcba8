/** @file A run's events as they count: what an interruption or a resumption undid is taken out. */
import type { RunEvent } from './events';

/**
 * The events without those that were undone: after `interrupted`, what came after the checkpoint that the run went on
 * from; where a step was made again, its earlier version. Later `started` events of a resumed run go too.
 */
export function effectiveEvents(events: readonly RunEvent[]): RunEvent[] {
  let kept: RunEvent[] = [];
  for (const event of events) {
    if (event.type === 'started' && kept.length > 0) {
      // The run goes on: its earlier ending was not one.
      kept = kept.filter((each) => each.type !== 'finished' && each.type !== 'failed');
      continue;
    }
    if (event.type === 'interrupted') kept = undoAfter(kept, event.resumes_from);
    if (event.type === 'step') kept = undoAfter(kept, event.step - 1);
    if (event.type === 'eval') {
      const again = (each: RunEvent) => each.type === 'eval' && each.step === event.step && each.phase === event.phase;
      kept = kept.filter((each) => !again(each));
    }
    kept.push(event);
  }
  return kept;
}

/** The last step of a stream, 0 before the first. */
export function lastStep(events: readonly RunEvent[]): number {
  return events.reduce((step, event) => (event.type === 'step' ? Math.max(step, event.step) : step), 0);
}

function undoAfter(events: RunEvent[], step: number): RunEvent[] {
  const undone = (event: RunEvent) => event.type !== 'started' && event.type !== 'interrupted' && event.step > step;
  return events.some(undone) ? events.filter((event) => !undone(event)) : events;
}
