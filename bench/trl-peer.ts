/** @file TRL's GRPO step of the same size on the same machine: runs bench/trl_step.py. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

export interface TrlPeer {
  version: string;
  median_s: number;
  steps: number;
}

const SCRIPT = 'bench/trl_step.py';

/** @returns what it measured, or why it couldn't */
export async function trlPeer(
  python: string,
  options: { model: string; prompts: number; group: number; 'max-new': number },
): Promise<TrlPeer | string> {
  if (!existsSync(SCRIPT)) return `not measured: ${SCRIPT} is not here`;
  const names = ['model', 'prompts', 'group', 'max-new'] as const;
  const sizes = names.flatMap((name) => [`--${name}`, String(options[name])]);
  try {
    const { stdout } = await promisify(execFile)(python, [SCRIPT, ...sizes], { maxBuffer: 2 ** 24 });
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as TrlPeer;
  } catch (error) {
    return `not measured: ${(error as Error).message.split('\n').slice(-3).join(' ').slice(-300)}`;
  }
}

/** @param ours milliseconds of our step */
export function formatTrlPeer(ours: number, peer: TrlPeer | string | null): string {
  if (peer === null || typeof peer === 'string') return `TRL: ${peer ?? 'left out'}`;
  const theirs = peer.median_s * 1000;
  return `TRL ${peer.version}: median ${theirs.toFixed(0)} ms over ${peer.steps} steps; ours is ${(theirs / ours).toFixed(1)} times as fast`;
}
