/** @file Draws from large vocabularies against float64: which tokens are kept, which one wins, and what is told of them. */
import { describe, expect, it } from 'vitest';
import { slice, type Tensor } from '../../../src/gpu/tensor';
import {
  NO_TOKEN,
  readDraw,
  resultWords,
  Sampler,
  type Draw,
  type SamplerOptions,
  type SamplerSettings,
} from '../../../src/nn/infer/sampler';
import { quickly } from '../../support/quick';
import { layerTest } from '../harness';
import { softmax } from '../reference';
import { competition, keptTokens, penalise } from './sampler-reference';

const test = layerTest('sampler.test.ts');
const settings: SamplerSettings = { temperature: 1, top_k: 0, top_p: 1, seed: 5, stream: 3 };

/** A normal distribution's values, rounded to multiples of `grain` (ties) when it is given. */
function normal(n: number, scale: number, grain = 0): Float32Array {
  return Float32Array.from({ length: n }, () => {
    const x = scale * Math.sqrt(-2 * Math.log(1 - test.random.next())) * Math.cos(2 * Math.PI * test.random.next());
    return grain ? Math.round(x / grain) * grain : x;
  });
}

interface Sampling extends Partial<SamplerOptions> {
  /** f32 [rows, vocab], the same for each step. */
  logits: Float32Array;
  rows: number;
  steps?: number;
  settings?: Partial<SamplerSettings>;
  start?: (row: number) => Parameters<Sampler['start']>[1];
}

/** Draws `steps` times for each row in one submission; [row][step]. */
async function sample({ logits, rows, steps = 1, start = () => ({}), ...o }: Sampling): Promise<(Draw | null)[][]> {
  const options = { vocab: logits.length / rows, maxRows: rows, stops: [], top: 0, ...o };
  const { gpu } = test;
  const sampler = await Sampler.create(gpu, options);
  const words = resultWords(options.top);
  const t: Record<'source' | 'logits' | 'tokens' | 'results', Tensor> = {
    source: gpu.alloc('source', logits.byteLength),
    logits: gpu.alloc('logits', logits.byteLength),
    tokens: gpu.alloc('tokens', 4 * (steps * rows + 1)),
    results: gpu.alloc('results', 4 * (steps * rows + 1) * words),
  };
  gpu.write(t.source, logits);
  const guard = new Uint32Array((steps * rows + 1) * words).fill(0x12345678);
  gpu.write(t.tokens, guard.subarray(0, steps * rows + 1));
  gpu.write(t.results, guard);
  for (let row = 0; row < rows; row++) sampler.start(row, start(row));
  const recorder = gpu.recorder();
  for (let step = 0; step < steps; step++) {
    recorder.copy(t.source, t.logits, logits.byteLength);
    sampler.record(recorder, t, { ...settings, ...o.settings }, { rows, at: step * rows });
  }
  const reads = [recorder.read(t.tokens), recorder.read(t.results)];
  recorder.submit();
  const [tokens, results] = (await Promise.all(reads)).map((data) => new Uint32Array(data));
  gpu.free(...Object.values(t));
  sampler.free();
  expect(tokens![steps * rows]).toBe(0x12345678);
  expect(results![steps * rows * words]).toBe(0x12345678);
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: steps }, (_, step) => readDraw(tokens!, results!, options.top, step * rows + row)),
  );
}

const repeat = (logits: Float32Array, rows: number) => {
  const all = new Float32Array(logits.length * rows);
  for (let row = 0; row < rows; row++) all.set(logits, row * logits.length);
  return all;
};

type Filters = Partial<SamplerSettings> & { name: string };

/** Fails unless each draw is the kept token with the highest score: one kept too few or too many would show. */
function checkDraws(draws: (Draw | null)[][], logits: Float32Array, { name, ...change }: Filters): void {
  const all = { ...settings, ...change };
  const kept = [...keptTokens(logits, all)];
  const isKept = new Set(kept);
  draws.forEach((row, r) =>
    row.forEach((draw, step) => {
      const { id } = draw!;
      const scores = competition(logits, all, r, step);
      const best = kept.reduce((a, b) => (scores[b]! > scores[a]! ? b : a));
      if (id !== best && !(isKept.has(id) && scores[id]! > scores[best]! - 1e-4)) {
        expect.fail(`${name}: drew ${id}, not ${best} of ${kept.length}, in row ${r}, step ${step}`);
      }
    }),
  );
}

describe('keeps exactly the tokens that the filters let through', () => {
  const filters: Filters[] = [
    { name: 'top-k', top_k: 7 },
    { name: 'top-k 1', top_k: 1 },
    { name: 'top-k of nearly all', top_k: 299, temperature: 5 },
    { name: 'top-p', top_p: 0.6 },
    { name: 'top-p of next to nothing', top_p: 1e-6 },
    { name: 'top-p 0', top_p: 0 },
    { name: 'top-p of nearly all, hot', top_p: 0.97, temperature: 4 },
    { name: 'min-p', min_p: 0.1 },
    { name: 'top-k and top-p', top_k: 40, top_p: 0.7, temperature: 2 },
    { name: 'top-k and top-p in the same place', top_k: 9, top_p: 0.98, temperature: 3 },
    { name: 'all three', top_k: 60, top_p: 0.9, min_p: 0.05, temperature: 1.5 },
    { name: 'cold', top_k: 40, top_p: 0.9, temperature: 0.2 },
  ];
  const inputs = [
    { name: 'normal', logits: () => normal(300, 2) },
    { name: 'ties', logits: () => normal(300, 2, 0.5) },
    { name: 'all equal', logits: () => new Float32Array(300).fill(-1.5) },
    { name: 'steep, some impossible', logits: () => normal(300, 30).map((x) => (x < -40 ? -3e38 : x)) },
    // More than fit the list of candidates.
    { name: 'ties of thousands', logits: () => normal(5000, 1, 1), rows: 8 },
    { name: 'several blocks', logits: () => normal(3001, 3), rows: 24 },
  ];
  it.each(quickly(3, inputs))('$name', async ({ logits: make, rows = 40 }) => {
    const logits = make();
    for (const { name, ...change } of filters) {
      checkDraws(await sample({ logits: repeat(logits, rows), rows, steps: 3, settings: change }), logits, {
        name,
        ...change,
      });
    }
  });
});

describe('keeps exactly those tokens, and tells of the likeliest, when very many are nearly as likely', () => {
  const vocab = 12000;
  const filters: Filters[] = [
    { name: 'top-k', top_k: 50 },
    { name: 'top-k of nearly all', top_k: 11990 },
    { name: 'top-p', top_p: 0.95, temperature: 0.6 },
    { name: 'top-p of a little', top_p: 0.001 },
    { name: 'top-k and top-p', top_k: 7000, top_p: 0.7 },
    { name: 'all three', top_k: 9000, top_p: 0.9, min_p: 0.9999, temperature: 0.6 },
    { name: 'min-p', min_p: 0.99999 },
  ];
  /** Distinct values so near 0 that they lie billions of keys apart, and all in one bin. */
  const tiny = () => normal(vocab, 1).map((x) => x * 10 ** (-4 - 30 * test.random.next()));
  const inputs = [
    // All in one bin or two, more than are listed.
    { name: 'flat', make: () => normal(vocab, 1e-4).map((x) => x + 3) },
    // A bin holds more than are compared, and fewer than are listed.
    { name: 'nearly flat', make: () => normal(vocab, 1e-2).map((x) => x - 2) },
    { name: 'all equal', make: () => new Float32Array(vocab).fill(2.5) },
    { name: 'all equal but for a few', make: () => new Float32Array(vocab).fill(-1).fill(1, 777, 780) },
    { name: 'two values', make: () => normal(vocab, 1).map((x) => (x < 0.3 ? 1 : 1.000001)) },
    { name: 'on both sides of 0', make: tiny },
    // 5,000 of the likeliest, and 5,000 with a few likelier ones; the rest far below.
    { name: 'ties of thousands', make: () => new Float32Array(vocab).fill(-4).fill(3, 1000, 6000) },
    {
      name: 'ties of thousands in the second place',
      make: () => new Float32Array(vocab).fill(-4).fill(3, 1000, 6000).fill(3.0001, 0, 20),
    },
  ];
  it.each(quickly(3, inputs))('$name', async ({ make }) => {
    const rows = 2;
    const logits = make();
    const order = Array.from(logits, (_, id) => id).sort((a, b) => logits[b]! - logits[a]! || a - b);
    for (const { name, ...change } of filters) {
      const options = { logits: repeat(logits, rows), rows, steps: 2, top: 5, settings: change };
      const draws = await sample(options);
      checkDraws(draws, logits, { name, ...change });
      const { logp } = softmax(logits, change.temperature ?? 1);
      for (const { id, logprob, top } of draws.flat() as Draw[]) {
        expect(top.map((token) => token.id)).toEqual(order.slice(0, 5));
        for (const token of [{ id, logprob }, ...top]) {
          expect(Math.abs(token.logprob - logp[token.id]!)).toBeLessThan(2e-5);
        }
      }
      // Candidates are listed in whatever order they come.
      if (name === 'top-k and top-p') expect(await sample(options)).toEqual(draws);
    }
  });
});

describe.each([
  { where: 'as many as are compared', vocab: 768 },
  { where: 'the shortest list', vocab: 769 },
  { where: 'the longest list', vocab: 8192 },
  { where: 'the whole row', vocab: 8193 },
])('finds the last token that is kept, of $where', ({ vocab }) => {
  it.each(['top-k', 'top-p', 'both'])('%s', async (name) => {
    const logits = normal(vocab, 1e-4).map((x) => x + 3);
    const order = Array.from(logits, (_, id) => id).sort((a, b) => logits[b]! - logits[a]!);
    const { p } = softmax(logits, 1);
    const weight = (least: number, most: number) =>
      p.reduce((sum, q, id) => (logits[id]! >= least && logits[id]! < most ? sum + q : sum), 0);
    // Half of the tokens as likely as the 50th are needed.
    const limit = logits[order[49]!]!;
    const within = name === 'both' ? weight(logits[order[99]!]!, Infinity) : 1;
    const change = {
      ...(name !== 'top-p' && { top_k: name === 'both' ? 100 : 50 }),
      ...(name !== 'top-k' && { top_p: (weight(limit, Infinity) - weight(limit, limit + 1e-12) / 2) / within }),
    };
    const all = { ...settings, ...change };
    const kept = order.filter((id) => logits[id]! >= limit);
    expect(keptTokens(logits, all)).toEqual(new Set(kept));
    // Rows in which the last of them wins, and rows in which the next one would.
    const rivals = order.slice(0, kept.length + 1);
    const streams: number[] = [];
    const winners: number[] = [];
    for (let stream = 0; winners.length < 8; stream++) {
      const scores = [...competition(logits, all, stream, 0, rivals)];
      const [first, second, third] = [...scores].sort((a, b) => b - a);
      const isOut = first === scores[kept.length];
      if (!isOut && first !== scores[kept.length - 1]) continue;
      if (first! - second! < 0.01 || second! - third! < 0.01) continue;
      streams.push(stream);
      winners.push(rivals[scores.indexOf(isOut ? second! : first!)]!);
    }
    const rows = streams.length;
    const start = (row: number) => ({ stream: streams[row]! });
    const draws = await sample({ logits: repeat(logits, rows), rows, settings: change, start });
    expect(draws.map((row) => row[0]!.id)).toEqual(winners);
  });
});

it('draws with the frequencies that it states (chi-squared)', async () => {
  const logits = normal(40, 1);
  const temperature = 0.8;
  const { p, logp } = softmax(logits, temperature);
  const rows = 256;
  const draws = await sample({ logits: repeat(logits, rows), rows, steps: 16, settings: { temperature } });
  const counts = new Float64Array(40);
  for (const { id, logprob } of draws.flat() as Draw[]) {
    counts[id]!++;
    expect(Math.abs(logprob - logp[id]!)).toBeLessThan(1e-5);
  }
  const total = rows * 16;
  const chi = p.reduce((sum, q, i) => sum + (counts[i]! - total * q) ** 2 / (total * q), 0);
  // 39 degrees of freedom: above 90 once in some 150,000 times.
  expect(chi).toBeLessThan(90);
});

describe.each([
  { name: 'greedy', temperature: 0 },
  { name: 'at a temperature', temperature: 0.7 },
  { name: 'with filters', temperature: 0.7, top_k: 20, top_p: 0.9 },
])('tells of the likeliest tokens, $name', (change) => {
  it.each([
    { name: 'normal', make: () => normal(2500, 3), vocab: 2500, rows: 5 },
    { name: 'ties', make: () => normal(2500, 1, 0.5), vocab: 2500, rows: 5 },
    { name: 'ties of thousands', make: () => new Float32Array(2500).fill(2), vocab: 2500, rows: 1 },
    { name: 'fewer than are wanted', make: () => normal(5, 1), vocab: 5, rows: 1 },
  ])('$name', async ({ make, vocab, rows }) => {
    const logits = new Float32Array(vocab * rows);
    for (let row = 0; row < rows; row++) logits.set(make(), row * vocab);
    const draws = await sample({ logits, rows, top: 8, settings: change });
    for (let row = 0; row < rows; row++) {
      const own = logits.subarray(row * vocab, (row + 1) * vocab);
      const { logp } = softmax(own, change.temperature || 1);
      const order = Array.from(own, (_, id) => id).sort((a, b) => own[b]! - own[a]! || a - b);
      const { id, logprob, top } = draws[row]![0]!;
      const count = Math.min(8, vocab);
      expect(top.slice(0, count).map((token) => token.id)).toEqual(order.slice(0, count));
      for (const token of [{ id, logprob }, ...top.slice(0, count)]) {
        expect(Math.abs(token.logprob - logp[token.id]!)).toBeLessThan(2e-5);
      }
      if (change.temperature === 0) expect(id).toBe(order[0]);
    }
  });
});

it('penalises what was in the context and what was drawn, as Transformers does', async () => {
  const logits = normal(2100, 2);
  const penalty = 1.7;
  const context = [...Array(600).keys()].map((i) => 3 * i);
  for (const temperature of [0, 1]) {
    const change = { temperature, repetition_penalty: penalty, ...(temperature > 0 && { top_k: 50 }) };
    const [draws] = await sample({ logits, rows: 1, steps: 12, settings: change, start: () => ({ context }) });
    const seen = new Set(context);
    draws!.forEach((draw, step) => {
      const own = penalise(logits, seen, Math.fround(penalty));
      const all = { ...settings, ...change };
      const scores = temperature === 0 ? own : competition(own, all, 0, step);
      const kept = temperature === 0 ? new Set(own.keys()) : keptTokens(own, all);
      const best = [...kept].reduce((a, b) => (scores[b]! > scores[a]! ? b : a));
      expect(scores[draw!.id]).toBeGreaterThan(scores[best]! - 1e-4);
      expect(kept.has(draw!.id)).toBe(true);
      expect(Math.abs(draw!.logprob - softmax(own, temperature || 1).logp[draw!.id]!)).toBeLessThan(2e-5);
      seen.add(draw!.id);
    });
    expect(seen.size).toBeGreaterThan(context.length + 3);
  }
});

it('never draws padding, and gives it no probability', async () => {
  const logits = normal(1300, 1).fill(50, 1200);
  for (const change of [{ temperature: 0 }, {}, { top_k: 30, top_p: 0.9 }]) {
    const [draws] = await sample({ logits, rows: 1, steps: 8, top: 8, validTokens: 1200, settings: change });
    const { logp } = softmax(logits.subarray(0, 1200), 1);
    for (const draw of draws!) {
      expect(draw!.id).toBeLessThan(1200);
      expect(Math.max(...draw!.top.map(({ id }) => id))).toBeLessThan(1200);
      expect(Math.abs(draw!.logprob - logp[draw!.id]!)).toBeLessThan(2e-5);
    }
  }
});

it('draws the same for a row whatever else is in the batch, and goes on as if there had been no break', async () => {
  const vocab = 1500;
  const rows = 5;
  const logits = normal(vocab * rows, 2);
  const ids = (draws: (Draw | null)[][]) => draws.map((row) => row.map((draw) => draw?.id));
  for (const change of [{}, { top_k: 30, top_p: 0.8, min_p: 0.01 }]) {
    const whole = ids(await sample({ logits, rows, steps: 6, settings: change }));
    expect(ids(await sample({ logits, rows, steps: 6, settings: change }))).toEqual(whole);
    const third = logits.slice(2 * vocab, 3 * vocab);
    const alone = { logits: third, rows: 1, steps: 6, settings: change };
    expect(ids(await sample({ ...alone, start: () => ({ stream: 2 }) }))).toEqual([whole[2]]);
    const later = { ...alone, steps: 2, start: () => ({ stream: 2, drawn: 4 }) };
    expect(ids(await sample(later))).toEqual([whole[2]!.slice(4)]);
    expect(ids(await sample({ logits, rows, steps: 6, settings: { ...change, seed: 6 } }))).not.toEqual(whole);
    expect(ids(await sample({ logits, rows, steps: 6, settings: { ...change, stream: 4 } }))).not.toEqual(whole);
  }
});

it('draws nothing for a row that has drawn an end of sequence, or all that it may', async () => {
  const vocab = 64;
  const rows = 12;
  const stops = [3, 9, 11, 20, 33, 40, 41, 63, 1, 5, 17, 26, 29, 48, 50, 58];
  for (const change of [{}, { top_k: 40, top_p: 0.95 }]) {
    const logits = repeat(normal(vocab, 0.5), rows);
    const options = { logits, rows, steps: 30, settings: change };
    const free = await sample(options);
    const limits = (row: number) => ({ limit: row < 4 ? row : NO_TOKEN });
    const ended = await sample({ ...options, stops, start: limits });
    free.forEach((draws, row) => {
      const stop = draws.findIndex((draw) => stops.includes(draw!.id));
      const length = Math.min(stop < 0 ? 30 : stop + 1, row < 4 ? row : 30);
      expect(ended[row]).toEqual([...draws.slice(0, length), ...new Array<null>(30 - length).fill(null)]);
    });
    expect(ended.flat().filter((draw) => draw === null).length).toBeGreaterThan(rows);
  }
});

it('takes rows out and puts them in again', async () => {
  const { gpu } = test;
  const sampler = await Sampler.create(gpu, { vocab: 50, maxRows: 2, stops: [], top: 0 });
  const t = { logits: gpu.alloc('logits', 400), tokens: gpu.alloc('tokens', 16), results: gpu.alloc('results', 16) };
  const draw = async () => {
    const recorder = gpu.recorder();
    sampler.record(recorder, t, settings, { rows: 2 });
    recorder.submit();
    return new Uint32Array(await gpu.read(slice(t.tokens, 0, 8), 8));
  };
  sampler.start(0);
  sampler.start(1);
  sampler.stop(0);
  const [none, some] = await draw();
  expect(none).toBe(NO_TOKEN);
  expect(some).toBeLessThan(50);
  sampler.start(0);
  expect((await draw())[0]).toBeLessThan(50);
  expect(() => sampler.record(gpu.recorder(), t, settings, { rows: 3 })).toThrow('3 rows; planned for 2');
  await expect(Sampler.create(gpu, { vocab: 50, maxRows: 2, stops: [], top: 9 })).rejects.toThrow('at most 8');
  const stops = Array.from({ length: 17 }, (_, id) => id);
  await expect(Sampler.create(gpu, { vocab: 50, maxRows: 2, stops, top: 0 })).rejects.toThrow('at most 16');
  gpu.free(...Object.values(t));
  sampler.free();
});
