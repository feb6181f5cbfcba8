/**
 * @file Ragged batches: sequences packed end to end without padding, and groups of completions that share one copy of
 * their prompt. A group is packed as [prompt][completion 1]…[completion G]; a completion's tokens attend to the prompt
 * and to their own completion. Packed order respects causality: key k is visible to query q exactly if k ≤ q and
 * (k ≥ start of q's segment, or k lies in the prefix of q's segment).
 */

/** A run of tokens that attend to each other causally. All fields are indices into the packed batch. */
export interface Segment {
  start: number;
  end: number;
  /** The shared tokens in front of it that it also attends to; an empty range where there are none. */
  prefixStart: number;
  prefixEnd: number;
  /** One past the last token that attends to this segment's keys: its group's end for a prompt, otherwise `end`. */
  queryEnd: number;
}

export interface Group {
  /** Token ids of the shared prompt; empty for a plain sequence. */
  prefix: readonly number[];
  completions: readonly (readonly number[])[];
}

export interface PackedGroups {
  /** [tokens] */
  tokenIds: Uint32Array;
  /** [tokens]; a completion's positions go on from its prompt's. */
  positions: Uint32Array;
  /** Each group's prompt, if it has one, then its completions, in packed order. */
  segments: Segment[];
}

/** Words of a tile: first, count, segmentStart, prefixStart, prefixEnd, queryEnd. */
export const TILE_WORDS = 6;

/** Packs groups end to end. Every completion gets a segment, an empty one too, so that they can be counted off. */
export function packGroups(groups: readonly Group[]): PackedGroups {
  let total = 0;
  for (const { prefix, completions } of groups) {
    total += prefix.length;
    for (const completion of completions) total += completion.length;
  }
  const tokenIds = new Uint32Array(total);
  const positions = new Uint32Array(total);
  const segments: Segment[] = [];
  let next = 0;
  const append = (tokens: readonly number[], firstPosition: number) => {
    const start = next;
    for (let i = 0; i < tokens.length; i++, next++) {
      tokenIds[next] = tokens[i]!;
      positions[next] = firstPosition + i;
    }
    return { start, end: next };
  };
  for (const { prefix, completions } of groups) {
    const prompt = append(prefix, 0);
    const promptSegment = { ...prompt, prefixStart: prompt.start, prefixEnd: prompt.start, queryEnd: prompt.end };
    if (prefix.length > 0) segments.push(promptSegment);
    for (const completion of completions) {
      const own = append(completion, prefix.length);
      segments.push({ ...own, prefixStart: prompt.start, prefixEnd: prompt.end, queryEnd: own.end });
    }
    promptSegment.queryEnd = next;
  }
  return { tokenIds, positions, segments };
}

/**
 * Cuts segments into tiles of at most `tile` tokens, none of which crosses a segment's end.
 * @returns `TILE_WORDS` words a tile, as the attention kernels read them.
 */
export function attentionTiles(segments: readonly Segment[], tile: number): Uint32Array<ArrayBuffer> {
  if (!Number.isInteger(tile) || tile < 1) throw new RangeError(`a tile has at least one token, not ${tile}`);
  let count = 0;
  for (const { start, end } of segments) count += Math.ceil((end - start) / tile);
  const words = new Uint32Array(count * TILE_WORDS);
  let at = 0;
  for (const { start, end, prefixStart, prefixEnd, queryEnd } of segments) {
    for (let first = start; first < end; first += tile, at += TILE_WORDS) {
      words.set([first, Math.min(tile, end - first), start, prefixStart, prefixEnd, queryEnd], at);
    }
  }
  return words;
}
