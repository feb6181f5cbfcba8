/**
 * @file What opened models mean: the logits of a plain decoder in float64 over their values are those of Transformers, for
 * every architecture, format and type (tests/goldens/checkpoints). So names, orders of rows, dequantising, rotary scaling
 * and configs are right, whatever a GPU does with them.
 */
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openModel } from '../../src/formats/open-model';
import { readSafetensors, toFloat32, toIntegers } from '../../src/formats/hf/safetensors';
import { checkpoint, readGolden } from './checkpoints';
import { referenceLogits } from './reference-decoder';

const GOLDEN = '.golden.safetensors';
const files = readdirSync(new URL('../goldens/checkpoints/', import.meta.url));
const names = files.filter((file) => file.endsWith(GOLDEN)).map((file) => file.slice(0, -GOLDEN.length));

it('covers every checkpoint', () => expect(names.length).toBe(23));

it.each(names)('%s', async (name) => {
  const { tensors } = readSafetensors(readGolden(name + GOLDEN));
  const model = await openModel(checkpoint(files.includes(`${name}.gguf`) ? `${name}.gguf` : name));
  const ids = toIntegers(tensors.get('input_ids')!);
  const expected = toFloat32(tensors.get('logits')!);
  const logits = (await referenceLogits(model, ids)).flatMap((line) => [...line]);
  expect(logits.length).toBe(expected.length);
  const worst = logits.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
  expect(worst).toBeLessThan(2e-6);
});

it('reaches every band of the rotary scaling', async () => {
  for (const name of ['llama3', 'llama3-k']) {
    const { tensors } = readSafetensors(readGolden(name + GOLDEN));
    const model = await openModel(checkpoint(files.includes(`${name}.gguf`) ? `${name}.gguf` : name));
    const forced = toIntegers(tensors.get('forced')!);
    const expected = toFloat32(tensors.get('forced_last_logits')!);
    const last = async (opened: typeof model) => (await referenceLogits(opened, forced)).at(-1)!;
    const error = (logits: Float64Array) =>
      logits.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
    expect(error(await last(model))).toBeLessThan(1e-5);
    const unscaled = { ...model, config: { ...model.config, rope_scaling: null } };
    expect(error(await last(unscaled))).toBeGreaterThan(0.1);
  }
});
