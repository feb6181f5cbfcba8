/** @file Blocks of every type on the CPU, bit for bit what the gguf package reads (tests/goldens/gguf/blocks.json). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dequantise, readTensor } from '../../../src/formats/gguf/dequantise';
import { storedBytes, storedFormats } from '../../../src/formats/gguf/stored-types';
import type { TensorEntry } from '../../../src/formats/files/model-files';
import type { StoredType } from '../../../src/formats/gguf/stored-types';
import { memoryFile } from '../../../src/formats/files/memory-files';

interface Golden {
  blocks: string;
  values: string;
}
const golden = JSON.parse(readFileSync(new URL('../../goldens/gguf/blocks.json', import.meta.url), 'utf8')) as Record<
  string,
  Golden
>;
const decode = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));
const types: StoredType[] = ['Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'Q4_K', 'Q5_K', 'Q6_K'];

describe('dequantise', () => {
  it.each(types)('%s as gguf does', (type) => {
    const { blocks, values } = golden[type]!;
    const ours = dequantise(type, decode(blocks));
    expect(ours.length).toBe(3 * 512);
    expect(Buffer.compare(new Uint8Array(ours.buffer), decode(values))).toBe(0);
  });

  it('floats', () => {
    expect([...dequantise('F32', new Uint8Array(Float32Array.of(1.5, -3e-40, 7).buffer))]).toEqual([
      ...Float32Array.of(1.5, -3e-40, 7),
    ]);
    expect([...dequantise('F16', new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 1).buffer))]).toEqual([1, -2, 2 ** -24]);
    expect([...dequantise('BF16', new Uint8Array(Uint16Array.of(0x3f80, 0xc049).buffer))]).toEqual([1, -3.140625]);
  });

  it('starts at any byte, and takes whole blocks only', () => {
    const { blocks } = golden.Q4_K!;
    const shifted = new Uint8Array([0, ...decode(blocks)]).subarray(1);
    expect(dequantise('Q4_K', shifted)).toEqual(dequantise('Q4_K', decode(blocks)));
    expect(() => dequantise('Q4_K', shifted.subarray(1))).toThrow(/don't divide into blocks/);
    expect(storedBytes('Q6_K', 512)).toBe(420);
    expect(() => storedBytes('Q4_0', 33)).toThrow(/don't fill blocks of 32/);
    expect(storedFormats.Q5_1.bytes).toBe(24);
  });
});

describe('readTensor', () => {
  const bytes = new Uint8Array(Float32Array.from({ length: 12 }, (_, i) => i).buffer);
  const entry = (changes: Partial<TensorEntry>): TensorEntry => ({
    name: 'x',
    shape: [6, 2],
    type: 'F32',
    file: memoryFile('weights', new Uint8Array([9, ...bytes])),
    begin: 1,
    bytes: 48,
    ...changes,
  });

  it('reads from the place in the file', async () => {
    expect([...(await readTensor(entry({})))]).toEqual([...Array(12).keys()]);
    await expect(readTensor(entry({ begin: 2 }))).rejects.toThrow(/weights was cut short: 48 bytes expected, 47 came/);
    await expect(readTensor(entry({}), AbortSignal.abort())).rejects.toThrow(/abort/);
  });

  it("takes llama.cpp's interleaved rows apart", async () => {
    const one = await readTensor(entry({ interleavedHeads: 1 }));
    expect([...one].filter((_, i) => i % 2 === 0).map((v) => v / 2)).toEqual([0, 2, 4, 1, 3, 5]);
    const three = await readTensor(entry({ interleavedHeads: 3 }));
    expect([...three]).toEqual([...Array(12).keys()]);
  });
});
