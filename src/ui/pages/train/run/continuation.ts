/** @file Runs that can be continued from a saved checkpoint. */
import type { RunStorage, SavedRun } from '../../../../storage/run-storage';

/** A run and its latest checkpoint. */
export interface Continuation {
  run: SavedRun;
  /** The step of the checkpoint. */
  checkpoint: number;
}

type Storage = Pick<RunStorage, 'list' | 'get' | 'checkpointSteps'>;

/** A run that was interrupted, and its latest checkpoint, if it had one by then. */
export type InterruptedRun = Omit<Continuation, 'checkpoint'> & { checkpoint: number | null };

/**
 * The newest saved run, if it was interrupted, by a reload or because the engine broke down.
 * @param current id of the run on the page, which doesn't count
 */
export async function interruptedRun(storage: Storage, current: string | undefined): Promise<InterruptedRun | null> {
  const newest = (await storage.list()).find((run) => run.id !== current);
  // A run on a server goes on without this page.
  if (!newest || newest.status === 'finished' || newest.device.kind === 'trl') return null;
  const found = await latestCheckpoint(storage, newest);
  return found ?? (newest.status === 'open' ? { run: newest, checkpoint: null } : null);
}

/** A saved run with its latest checkpoint; null if there is no such run or it has no checkpoint. */
export async function continuationOf(storage: Storage, id: string): Promise<Continuation | null> {
  const run = await storage.get(id);
  return run ? latestCheckpoint(storage, run) : null;
}

async function latestCheckpoint(storage: Storage, run: SavedRun): Promise<Continuation | null> {
  const steps = await storage.checkpointSteps(run.id);
  const checkpoint = steps.at(-1);
  return checkpoint ? { run, checkpoint } : null;
}
