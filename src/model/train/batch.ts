/**
 * @file Cuts groups of sequences into micro-batches that fit the planned memory, packed and indexed for the decoder. The
 * split is for memory alone: losses are weighted by sequence, so it never changes a result beyond rounding.
 */
import { invertIndex, type InverseIndex } from '../../nn/train/gather';
import { attentionTiles, packGroups, TILE_WORDS, type Group } from '../../nn/train/ragged';

/** Completions of one prompt. Without a prompt, a completion's first token is given and the rest is predicted. */
export interface SequenceGroup {
  prompt: readonly number[];
  completions: readonly (readonly number[])[];
}

export interface MicroBatch {
  tokenIds: Uint32Array<ArrayBuffer>;
  positions: Uint32Array<ArrayBuffer>;
  tiles: Uint32Array<ArrayBuffer>;
  tileCount: number;
  /** Hidden state that predicts each target. [rows] */
  rowIndex: Uint32Array<ArrayBuffer>;
  targets: Uint32Array<ArrayBuffer>;
  /** The rows that each token's hidden state predicts. */
  rowsOfToken: InverseIndex;
  /** The places in the batch at which each vocabulary entry occurs. */
  tokensOfId: InverseIndex;
  /** Its first row among all rows of the batch. */
  firstRow: number;
  firstSequence: number;
  sequences: number;
}

export interface Batch {
  microBatches: MicroBatch[];
  /** Rows (predicted tokens) of all micro-batches. */
  rows: number;
  /** [sequences + 1] first row of each sequence, in the order given. */
  rowStart: Uint32Array<ArrayBuffer>;
}

export interface BatchLimits {
  maxTokens: number;
  maxRows: number;
  tile: number;
  vocab: number;
}

/** @throws RangeError when a single sequence doesn't fit. */
export function buildBatch(groups: readonly SequenceGroup[], limits: BatchLimits): Batch {
  const rowStart = [0];
  const microBatches: MicroBatch[] = [];
  let pending: SequenceGroup[] = [];
  let tokens = 0;
  let rows = 0;
  const flush = () => {
    if (pending.length === 0) return;
    const sequences = pending.reduce((sum, group) => sum + group.completions.length, 0);
    const firstSequence = rowStart.length - 1;
    microBatches.push(packMicroBatch(pending, limits, rowStart.at(-1)!, firstSequence, sequences));
    for (const group of pending) {
      for (const completion of group.completions) rowStart.push(rowStart.at(-1)! + rowCount(group, completion));
    }
    pending = [];
    tokens = rows = 0;
  };
  for (const group of groups) {
    let open: { prompt: readonly number[]; completions: (readonly number[])[] } | null = null;
    for (const completion of group.completions) {
      const ownTokens = Math.max(0, completion.length - 1);
      const ownRows = rowCount(group, completion);
      const promptTokens = open ? 0 : group.prompt.length;
      if (tokens + ownTokens + promptTokens > limits.maxTokens || rows + ownRows > limits.maxRows) {
        flush();
        open = null;
      }
      if (!open) {
        pending.push((open = { prompt: group.prompt, completions: [] }));
        tokens += group.prompt.length;
      }
      open.completions.push(completion);
      tokens += ownTokens;
      rows += ownRows;
      if (tokens > limits.maxTokens) {
        throw new RangeError(`a sequence of ${tokens} tokens doesn't fit a micro-batch of ${limits.maxTokens} tokens`);
      }
      if (rows > limits.maxRows) {
        throw new RangeError(`a sequence of ${rows} predicted tokens doesn't fit a micro-batch of ${limits.maxRows}`);
      }
    }
  }
  flush();
  return { microBatches, rows: rowStart.at(-1)!, rowStart: Uint32Array.from(rowStart) };
}

const rowCount = (group: SequenceGroup, completion: readonly number[]): number =>
  Math.max(0, completion.length - (group.prompt.length > 0 ? 0 : 1));

function packMicroBatch(
  groups: readonly SequenceGroup[],
  limits: BatchLimits,
  firstRow: number,
  firstSequence: number,
  sequences: number,
): MicroBatch {
  // The last token of a completion predicts nothing that is trained on, so it is never fed.
  const inputs: Group[] = groups.map(({ prompt, completions }) => ({
    prefix: prompt,
    completions: completions.map((completion) => completion.slice(0, -1)),
  }));
  const { tokenIds, positions, segments } = packGroups(inputs);
  const tiles = attentionTiles(segments, limits.tile);
  const rowIndex: number[] = [];
  const targets: number[] = [];
  let segment = 0;
  for (const { prompt, completions } of groups) {
    if (prompt.length > 0) segment++;
    for (const completion of completions) {
      const { start, prefixEnd } = segments[segment++]!;
      if (prompt.length > 0 && completion.length > 0) {
        rowIndex.push(prefixEnd - 1);
        targets.push(completion[0]!);
      }
      for (let i = 1; i < completion.length; i++) {
        rowIndex.push(start + i - 1);
        targets.push(completion[i]!);
      }
    }
  }
  const index = Uint32Array.from(rowIndex);
  return {
    tokenIds: tokenIds as Uint32Array<ArrayBuffer>,
    positions: positions as Uint32Array<ArrayBuffer>,
    tiles,
    tileCount: tiles.length / TILE_WORDS,
    rowIndex: index,
    targets: Uint32Array.from(targets),
    rowsOfToken: invertIndex(index, tokenIds.length),
    tokensOfId: invertIndex(tokenIds, limits.vocab),
    firstRow,
    firstSequence,
    sequences,
  };
}
