/** @file Log-probabilities, entropies and the gradient by the logits, against float64. */
import { expect, it } from 'vitest';
import { LogProb } from '../../../src/nn/train/log-prob';
import { layerTest, poison } from '../harness';
import { relativeError, softmax } from '../reference';

const test = layerTest('log-prob.test.ts');

it.each([
  { vocab: 64, rows: 37, temperature: 1 },
  { vocab: 1000, rows: 5, temperature: 0.7 },
  { vocab: 51, rows: 1, temperature: 1.3 },
])('measures and differentiates rows of a larger batch: %o', async ({ vocab, rows, temperature }) => {
  const offset = 3;
  const layer = await LogProb.create(test.gpu, vocab);
  const logits = test.floats(rows * vocab, 6);
  // One sure row, and one far from 0, where a softmax without its maximum taken out overflows.
  logits[7] = 60;
  if (rows > 1) for (let v = 0; v < vocab; v++) logits[vocab + v]! += 300;
  const targets = Uint32Array.from({ length: rows }, () => test.random.int(0, vocab - 1));
  const dLogp = test.floats(offset + rows);
  const wide = () => poison(offset + rows);
  const data = { logits, dLogits: logits, targets, dLogp, logp: wide(), entropy: wide(), lse: poison(rows) };
  const out = await test.run(data, (recorder, t) => {
    layer.forward(recorder, t, { rows, offset, temperature });
    layer.backward(recorder, { ...t, logits: t.dLogits }, { rows, offset, temperature });
  });
  const reference = Array.from({ length: rows }, (_, row) =>
    softmax(logits.subarray(row * vocab, (row + 1) * vocab), temperature),
  );
  expect(out.logits).toEqual(logits);
  expect(
    relativeError(
      out.lse,
      reference.map(({ lse }) => lse),
    ),
  ).toBeLessThan(1e-5);
  expect(
    relativeError(
      out.logp.subarray(offset),
      reference.map(({ logp }, row) => logp[targets[row]!]!),
    ),
  ).toBeLessThan(1e-5);
  // Entropies are a difference of two numbers as large as the logits.
  reference.forEach(({ entropy, lse }, row) =>
    expect(Math.abs(out.entropy[offset + row]! - entropy)).toBeLessThan(1e-6 * (Math.abs(lse) + 10)),
  );
  for (const values of [out.logp, out.entropy]) expect(values.subarray(0, offset)).toEqual(poison(offset));
  reference.forEach(({ p }, row) => {
    const scale = dLogp[offset + row]! / temperature;
    const gradient = p.map((q, v) => scale * (Number(v === targets[row]) - q));
    // A logit near 300 is known to 3e-5 at best.
    const limit = row === 1 ? 1e-4 : 1e-5;
    expect(relativeError(out.dLogits.subarray(row * vocab, (row + 1) * vocab), gradient)).toBeLessThan(limit);
  });
});
