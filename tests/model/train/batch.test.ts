/** @file Micro-batches: however a batch is cut, each target is predicted from the same tokens, and nothing is lost. */
import { describe, expect, it } from 'vitest';
import { buildBatch, type MicroBatch, type SequenceGroup } from '../../../src/model/train/batch';
import { TILE_WORDS } from '../../../src/nn/train/ragged';
import { rng } from '../../../src/base/rng';

const seed = Math.floor(Math.random() * 2 ** 31);
const random = rng(seed);
const VOCAB = 30;

const tokens = (least: number, most: number) =>
  Array.from({ length: random.int(least, most) }, () => random.int(0, VOCAB - 1));

const randomGroups = (): SequenceGroup[] =>
  Array.from({ length: random.int(1, 6) }, () => {
    const prompt = random.next() < 0.3 ? [] : tokens(1, 12);
    return { prompt, completions: Array.from({ length: random.int(1, 7) }, () => tokens(0, 20)) };
  });

/** What a token's query sees, in order, itself included: read off the attention tiles, as the kernels do. */
function contextOf({ tiles, tileCount, tokenIds }: MicroBatch, token: number): number[] {
  for (let tile = 0; tile < tileCount; tile++) {
    const [first, count, start, prefixStart, prefixEnd] = tiles.subarray(tile * TILE_WORDS);
    if (token < first! || token >= first! + count!) continue;
    return [...tokenIds.subarray(prefixStart, prefixEnd), ...tokenIds.subarray(start, token + 1)];
  }
  throw new Error(`token ${token} is in no tile`);
}

/** The rows of a whole batch by definition: what is seen, and what follows. Without a prompt the first token is given. */
const expectedRows = (groups: SequenceGroup[]) =>
  groups.flatMap(({ prompt, completions }) =>
    completions.map((completion) =>
      completion
        .map((target, i) => ({ seen: [...prompt, ...completion.slice(0, i)], target }))
        .filter(({ seen }) => seen.length > 0),
    ),
  );

describe('buildBatch', () => {
  it(`keeps every pair of context and target, in order, whatever the split (seed ${seed})`, () => {
    for (let trial = 0; trial < 60; trial++) {
      const groups = randomGroups();
      const limits = {
        maxTokens: random.int(32, 200),
        maxRows: random.int(20, 200),
        tile: random.int(1, 20),
        vocab: VOCAB,
      };
      const batch = buildBatch(groups, limits);
      const expected = expectedRows(groups);
      const rows: { seen: number[]; target: number }[] = [];
      let sequences = 0;
      for (const micro of batch.microBatches) {
        expect(micro.tokenIds.length).toBeLessThanOrEqual(limits.maxTokens);
        expect(micro.targets.length).toBeLessThanOrEqual(limits.maxRows);
        expect(micro.firstRow).toBe(rows.length);
        expect(micro.firstSequence).toBe(sequences);
        sequences += micro.sequences;
        micro.rowIndex.forEach((token, i) => {
          const seen = contextOf(micro, token);
          expect(micro.positions[token]).toBe(seen.length - 1);
          rows.push({ seen, target: micro.targets[i]! });
        });
        for (const [index, inverse] of [
          [micro.rowIndex, micro.rowsOfToken],
          [micro.tokenIds, micro.tokensOfId],
        ] as const) {
          expect([...inverse.item].sort((a, b) => a - b)).toEqual([...index.keys()]);
          for (let key = 0; key + 1 < inverse.start.length; key++) {
            for (const place of inverse.item.subarray(inverse.start[key], inverse.start[key + 1])) {
              expect(index[place]).toBe(key);
            }
          }
        }
      }
      expect(rows).toEqual(expected.flat());
      expect(batch.rows).toBe(rows.length);
      expect(sequences).toBe(expected.length);
      const ends = expected
        .map(({ length }) => length)
        .map(
          (
            (sum) => (length: number) =>
              (sum += length)
          )(0),
        );
      expect([...batch.rowStart]).toEqual([0, ...ends]);
    }
  });

  it('shares one copy of a prompt, and repeats it where its group is cut', () => {
    const group = {
      prompt: [1, 2, 3],
      completions: [
        [4, 5, 6],
        [7, 8, 9],
        [10, 11, 12],
      ],
    };
    const ids = (maxTokens: number) =>
      buildBatch([group], { maxTokens, maxRows: 100, tile: 8, vocab: VOCAB }).microBatches.map(({ tokenIds }) => [
        ...tokenIds,
      ]);
    expect(ids(9)).toEqual([[1, 2, 3, 4, 5, 7, 8, 10, 11]]);
    expect(ids(8)).toEqual([
      [1, 2, 3, 4, 5, 7, 8],
      [1, 2, 3, 10, 11],
    ]);
    expect(ids(5)).toHaveLength(3);
  });

  it('refuses a sequence that no micro-batch holds, wherever it stands', () => {
    const limits = { maxTokens: 12, maxRows: 100, tile: 8, vocab: VOCAB };
    const long = { prompt: [1, 2, 3], completions: [[4], new Array<number>(11).fill(5)] };
    expect(() => buildBatch([long], limits)).toThrow("a sequence of 13 tokens doesn't fit a micro-batch of 12 tokens");
    expect(() => buildBatch([{ prompt: [], completions: [[1, 2]] }, long], limits)).toThrow(RangeError);
    expect(() => buildBatch([{ prompt: new Array<number>(13).fill(1), completions: [[2]] }], limits)).toThrow(
      '13 tokens',
    );
    expect(() => buildBatch([{ prompt: [1], completions: [[2, 3, 4]] }], { ...limits, maxRows: 2 })).toThrow(
      '3 predicted',
    );
  });

  it('makes nothing of nothing', () => {
    expect(buildBatch([], { maxTokens: 8, maxRows: 8, tile: 8, vocab: VOCAB })).toMatchObject({
      microBatches: [],
      rows: 0,
    });
  });
});
