import { describe, expect, it } from 'vitest';
import { attentionTiles, packGroups, TILE_WORDS, type Segment } from '../../../src/nn/train/ragged';
import { rng } from '../../../src/base/rng';

const tilesOf = (segments: Segment[], tile: number) => {
  const words = attentionTiles(segments, tile);
  return Array.from({ length: words.length / TILE_WORDS }, (_, i) => [
    ...words.subarray(i * TILE_WORDS, (i + 1) * TILE_WORDS),
  ]);
};

describe('packGroups', () => {
  it('puts each prompt once before its completions, whose positions go on from it', () => {
    const packed = packGroups([
      { prefix: [1, 2, 3], completions: [[4, 5], [6]] },
      { prefix: [], completions: [[7, 8]] },
    ]);
    expect([...packed.tokenIds]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...packed.positions]).toEqual([0, 1, 2, 3, 4, 3, 0, 1]);
    expect(packed.segments).toEqual([
      { start: 0, end: 3, prefixStart: 0, prefixEnd: 0, queryEnd: 6 },
      { start: 3, end: 5, prefixStart: 0, prefixEnd: 3, queryEnd: 5 },
      { start: 5, end: 6, prefixStart: 0, prefixEnd: 3, queryEnd: 6 },
      { start: 6, end: 8, prefixStart: 6, prefixEnd: 6, queryEnd: 8 },
    ]);
  });

  it('keeps a segment for an empty completion', () => {
    const { segments } = packGroups([{ prefix: [1], completions: [[], [2]] }]);
    expect(segments.map(({ start, end }) => [start, end])).toEqual([
      [0, 1],
      [1, 1],
      [1, 2],
    ]);
    expect(attentionTiles(segments, 16).length).toBe(2 * TILE_WORDS);
  });

  it('packs nothing into nothing', () => {
    const { tokenIds, segments } = packGroups([]);
    expect(tokenIds.length).toBe(0);
    expect(attentionTiles(segments, 16).length).toBe(0);
  });
});

describe('attentionTiles', () => {
  it('cuts a segment into tiles and hands its ranges on', () => {
    const { segments } = packGroups([{ prefix: [1, 1], completions: [[2, 2, 2, 2, 2]] }]);
    expect(tilesOf(segments, 2)).toEqual([
      [0, 2, 0, 0, 0, 7],
      [2, 2, 2, 0, 2, 7],
      [4, 2, 2, 0, 2, 7],
      [6, 1, 2, 0, 2, 7],
    ]);
  });

  it('covers every token once, in tiles within one segment', () => {
    const random = rng(Date.now() >>> 0);
    const tokens = (most: number) => Array.from({ length: random.int(0, most) }, () => 1);
    for (let trial = 0; trial < 50; trial++) {
      const groups = Array.from({ length: random.int(1, 4) }, () => ({
        prefix: tokens(40),
        completions: Array.from({ length: random.int(1, 5) }, () => tokens(70)),
      }));
      const { tokenIds, segments } = packGroups(groups);
      const tile = random.int(1, 40);
      let next = 0;
      for (const [first, count, segmentStart, , , queryEnd] of tilesOf(segments, tile)) {
        expect(first).toBe(next);
        expect(count).toBeGreaterThan(0);
        expect(count).toBeLessThanOrEqual(tile);
        const segment = segments.find(({ start, end }) => start <= first! && first! < end)!;
        expect(segmentStart).toBe(segment.start);
        expect(first! + count!).toBeLessThanOrEqual(segment.end);
        expect(queryEnd).toBe(segment.queryEnd);
        next += count!;
      }
      expect(next).toBe(tokenIds.length);
    }
  });

  it('refuses tiles of no tokens', () => {
    expect(() => attentionTiles([], 0)).toThrow(RangeError);
  });
});
