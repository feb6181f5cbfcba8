/** @file Runs that can be continued from a saved checkpoint. */
import type { RunStorage, SavedRun } from '../../../../storage/run-storage';

/** A run and its latest checkpoint. */
export interface Continuation {
  run: SavedRun;
  /** The step of the checkpoint. */
  checkpoint: number;
}

type Storage = Pick<RunStorage, 'list' | 'get' | 'checkpointSteps'>;

/**
 * The newest saved run, if it was interrupted, by a reload or because the engine broke down, and has a checkpoint.
 * @param current id of the run on the page, which doesn't count
 */
export async function interruptedRun(storage: Storage, current: string | undefined): Promise<Continuation | null> {
  const newest = (await storage.list()).find((run) => run.id !== current);
  return newest && newest.status !== 'finished' ? latestCheckpoint(storage, newest) : null;
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
