/** @file Rotary frequencies against Transformers' (tests/goldens/checkpoints/rope_frequencies.json). */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ropeFrequencies, ropeTable, type RopeFrequencyOptions } from '../../src/nn/rope';

interface Golden {
  head_dim: number;
  rope_parameters: { rope_type: 'default' | 'llama3'; rope_theta: number };
  frequencies: number[];
}
const url = new URL('../goldens/checkpoints/rope_frequencies.json', import.meta.url);
const goldens = JSON.parse(readFileSync(url, 'utf8')) as Golden[];

it.each(goldens)(
  'agrees on $rope_parameters',
  ({ head_dim, rope_parameters: { rope_theta, ...rope }, frequencies }) => {
    const rope_scaling = rope.rope_type === 'default' ? null : (rope as RopeFrequencyOptions['rope_scaling']);
    const ours = ropeFrequencies({ head_dim, rope_theta, rope_scaling });
    expect(ours.length).toBe(frequencies.length);
    // PyTorch's power may be the neighbour of the nearest f32.
    const errors = frequencies.map((frequency, i) => Math.abs(ours[i]! / frequency - 1));
    expect(Math.max(...errors)).toBeLessThan(2 ** -22);
    expect(errors.filter((error) => error > 0).length).toBeLessThan(0.1 * frequencies.length);
  },
);

it('divides by the factors of a GGUF file', () => {
  const options = { head_dim: 8, rope_theta: 100, rope_scaling: null };
  const plain = ropeFrequencies(options);
  const factors = [1, 1.5, 8, 32];
  const scaled = ropeFrequencies({ ...options, rope_scaling: { rope_type: 'factors', factors } });
  expect([...scaled]).toEqual(factors.map((factor, i) => Math.fround(plain[i]! / factor)));
});

it('makes rows for a range of positions or for given ones', () => {
  const frequencies = ropeFrequencies({ head_dim: 8, rope_theta: 100, rope_scaling: null });
  const table = ropeTable(20, frequencies);
  const rows = ropeTable(Uint32Array.of(7, 0, 19), frequencies);
  expect([...rows]).toEqual([7, 0, 19].flatMap((row) => [...table.subarray(row * 8, row * 8 + 8)]));
});
