/** @file ONNX Runtime's WebGPU execution provider on the same shape, in the same call: bench/ort_decode.py. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { InferenceBench, InferenceBenchOptions } from './models/inference';

interface PeerRow {
  kind: 'decode' | 'prefill';
  /** For decode: how each token is fed back. */
  loop?: string;
  capture?: boolean;
  ms_per_token?: number;
  tokens_per_second?: number;
  /** For prefill. */
  ms?: number;
}

export interface Peer {
  rows: PeerRow[];
}

const SCRIPT = 'bench/ort_decode.py';
/** The quantisations in which it can be compared. */
const quants = ['q4', 'f16'];

/** @returns what it measured, or why it can't be had */
export async function ortPeer(python: string, options: InferenceBenchOptions): Promise<Peer | string> {
  if (!existsSync(SCRIPT)) return `not measured: ${SCRIPT} is not here`;
  if (!quants.includes(options.quant)) return `not measured: ${SCRIPT} has ${quants.join(' and ')}`;
  const folder = await mkdtemp(join(tmpdir(), 'tinythink-peer-'));
  const json = join(folder, 'peer.json');
  const { shape, quant, context, prefill, tokens } = options;
  const sizes = { shape, quant, context, prefill, tokens, capture: 'on', loops: 'logits,chained', json };
  const args = Object.entries(sizes).flatMap(([name, value]) => [`--${name}`, String(value)]);
  try {
    await promisify(execFile)(python, [SCRIPT, ...args], { maxBuffer: 2 ** 24 });
    const { results } = JSON.parse(await readFile(json, 'utf8')) as { results: PeerRow[] };
    return { rows: results };
  } catch (error) {
    return `not measured: ${(error as Error).message.split('\n').slice(-3).join(' ').slice(-300)}`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export function formatOrtPeer(ours: InferenceBench, peer: Peer | string): string {
  if (typeof peer === 'string') return `ONNX Runtime: ${peer}`;
  return peer.rows
    .map((row) => {
      if (row.kind === 'prefill') {
        const ratio = row.ms! / ours.prefill.median_ms;
        return `ONNX Runtime prefill: ${row.ms!.toFixed(2)} ms; ours is ${ratio.toFixed(2)} times as fast`;
      }
      const ratio = ours.decode.tokens_per_second / row.tokens_per_second!;
      const how = `${row.loop}${row.capture ? ', captured' : ''}`;
      return `ONNX Runtime decode (${how}): ${row.tokens_per_second!.toFixed(0)} tokens/s; ours is ${ratio.toFixed(2)} times as fast`;
    })
    .join('\n');
}
