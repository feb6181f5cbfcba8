/**
 * @file Notices that a worker's event loop has stopped. Work on the GPU, downloads and files don't stop it, however long
 * they take; a loop that never ends does, and then nothing on the worker can be cancelled or answered any more.
 */

/** How often the worker is asked, in milliseconds. */
const INTERVAL = 2000;
/** Times in a row that it may not have answered: the longest honest work in one piece takes a few seconds. */
const MOST_MISSED = 15;

export interface HeartbeatOptions {
  interval?: number;
  mostMissed?: number;
}

/**
 * Asks until it is stopped. Time is counted in questions and not by the clock, so a page that was asleep isn't mistaken
 * for a worker that hangs, and only from the first answer on, since a worker's program is loaded over the network.
 * @param ping resolves when the worker has got round to it
 * @param onChange called with true when the worker has fallen silent, and with false when it answers again
 * @returns stops asking
 */
export function watchHeartbeat(
  ping: () => Promise<unknown>,
  onChange: (silent: boolean) => void,
  { interval = INTERVAL, mostMissed = MOST_MISSED }: HeartbeatOptions = {},
): () => void {
  let missed = 0;
  let answered = false;
  let waiting = false;
  let silent = false;
  const tell = (now: boolean) => {
    if (silent === now) return;
    silent = now;
    onChange(now);
  };
  const ask = async () => {
    waiting = true;
    try {
      await ping();
    } catch {
      // A worker that has ended is noticed by others.
      return;
    }
    waiting = false;
    answered = true;
    missed = 0;
    tell(false);
  };
  const timer = setInterval(() => {
    if (!waiting) void ask();
    else if (answered && ++missed >= mostMissed) tell(true);
  }, interval);
  // In Node, it is no reason to keep the process.
  (timer as { unref?: () => void }).unref?.();
  void ask();
  return () => clearInterval(timer);
}
