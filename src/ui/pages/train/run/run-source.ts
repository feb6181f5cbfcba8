/** @file Where a run comes from, and what its trainer reports besides the run's events. */
import type { RunConfig, RunEvent } from '../../../../runs/events';
import type { Resume, Trainer } from '../../../../runs/trainer';
import type { Sidecar } from '../../../../servers/training/sidecar';
import type { RemoteRunOptions } from '../../../../servers/training/sidecar-schema';

/** A run that lives on a GPU server. It goes on when nobody watches, and others may control it too. */
export interface RemoteRun {
  sidecar: Sidecar;
  /** The name that the user gave the server. */
  label: string;
  url: string;
  /** The server's id of the run. */
  id: string;
  /** The options that the server runs it with. */
  options: RemoteRunOptions;
}

export interface RunSource {
  /** `live` runs can be adjusted; a `recording` is played back; a `saved` run is shown as far as it got. */
  kind: 'live' | 'recording' | 'saved';
  config: RunConfig;
  /** Makes the trainer of one run. */
  make: () => Trainer | Promise<Trainer>;
  /** Set for a run on a server. */
  remote?: RemoteRun;
  resume?: Resume;
  /** The events before `resume`. */
  history?: readonly RunEvent[];
  /** Also receives every event, to save the run. */
  listen?: (event: RunEvent) => void;
  /** The source that "Reset" opens, where it isn't this one with the current config. */
  again?: (config: RunConfig) => RunSource;
}

/**
 * `empty`: no run. `preparing`: the model is loading and being evaluated. `working`: a single step is running, or the
 * run is about to pause. `ended`: finished or failed.
 */
export type SessionStatus = 'empty' | 'preparing' | 'paused' | 'running' | 'working' | 'ended';
