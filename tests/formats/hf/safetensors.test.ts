/** @file The safetensors reader against hostile files, its conversions, and the writer. */
import { describe, expect, it } from 'vitest';
import { float16ToFloat32, float32ToFloat16 } from '../../../src/base/half';
import { readSafetensors, toFloat32, toIntegers, writeSafetensors } from '../../../src/formats/hf/safetensors';

function file(header: unknown, data: number[] | Uint8Array = [], length?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + json.length + data.length);
  new DataView(out.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  out.set(json, 8);
  out.set(data, 8 + json.length);
  return out;
}
const entry = (dtype: string, shape: unknown, begin: unknown, end: unknown) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe('readSafetensors', () => {
  it('reads every dtype, at any alignment', () => {
    const header = {
      __metadata__: { format: 'pt' },
      half: entry('F16', [3], 0, 6),
      brain: entry('BF16', [1, 2], 6, 10),
      small: entry('I32', [2], 10, 18),
      wide: entry('I64', [1], 18, 26),
      single: entry('F32', [], 26, 30),
    };
    const data = [
      0x00, 0x3c, 0x00, 0xc1, 0x01, 0x00, 0x80, 0x3f, 0x20, 0xc0, 7, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x40, 0x40,
    ];
    const { tensors, metadata } = readSafetensors(file(header, data));
    expect(metadata).toEqual({ format: 'pt' });
    expect([...toFloat32(tensors.get('half')!)]).toEqual([1, -2.5, 2 ** -24]);
    expect([...toFloat32(tensors.get('brain')!)]).toEqual([1, -2.5]);
    expect(toIntegers(tensors.get('small')!)).toEqual([7, -2]);
    expect(toIntegers(tensors.get('wide')!)).toEqual([-1]);
    expect([...toFloat32(tensors.get('single')!)]).toEqual([3]);
    expect(() => toIntegers(tensors.get('half')!)).toThrow(/"half" is F16/);
  });

  it('says how many bytes a cut file lacks', () => {
    const whole = writeSafetensors([{ name: 'w', shape: [4, 8], data: new Float32Array(32) }]);
    const cut = whole.subarray(0, whole.length - 5);
    expect(() => readSafetensors(cut)).toThrow(`${whole.length} bytes expected, ${cut.length} there`);
    expect(() => readSafetensors(whole.subarray(0, 20))).toThrow(
      /cut short in its header: \d+ bytes expected, 20 there/,
    );
    expect(() => readSafetensors(whole.subarray(0, 3))).toThrow(/8 bytes expected, 3 there/);
    // Every cut is refused, wherever it falls.
    for (let n = 0; n < whole.length; n++) expect(() => readSafetensors(whole.subarray(0, n))).toThrow(/cut short/);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['a web page', new TextEncoder().encode('<!doctype html><html></html>'), /not a safetensors file/],
    ['a huge header', file('{}', [], 2n ** 63n), /not a safetensors file/],
    ['broken JSON', file('{"a":'), /not JSON/],
    ['invalid UTF-8', file('{}', [0xff], 3n), /not JSON/],
    ['a list', file('[]'), /not a JSON object/],
    ['bytes after the end', file({ a: entry('F32', [1], 0, 4) }, [0, 0, 0, 0, 9]), /bytes after its last tensor/],
    ['overlap', file({ a: entry('F32', [2], 0, 8), b: entry('F32', [1], 4, 8) }, new Uint8Array(8)), /"b" overlaps/],
    ['a hole', file({ a: entry('F32', [1], 4, 8) }, new Uint8Array(8)), /hole of 4 bytes/],
    ['a wrong size', file({ a: entry('F32', [2], 0, 4) }, new Uint8Array(4)), /needs 8 bytes, but has 4/],
    ['backward offsets', file({ a: entry('F32', [1], 4, 0) }, new Uint8Array(4)), /needs 4 bytes, but has -4/],
    ['a negative offset', file({ a: entry('F32', [1], -4, 0) }, new Uint8Array(4)), /not two positions/],
    ['overflow', file({ a: entry('F32', [2 ** 40, 2 ** 40], 0, 4) }, new Uint8Array(4)), /needs .* bytes, but has 4/],
    ['a fractional shape', file({ a: entry('F32', [0.5], 0, 2) }, [0, 0]), /not a list of sizes/],
    ['an unknown dtype', file({ a: entry('Q4', [1], 0, 4) }, new Uint8Array(4)), /dtype "Q4"; readable: F32/],
    ['metadata of numbers', file({ __metadata__: { a: 1 } }), /not a string/],
    ['no object', file({ a: 3 }), /not described by an object/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(message);
  });
});

describe('writeSafetensors', () => {
  it('writes what it reads back, bit for bit in f32', () => {
    const data = Float32Array.from([0.1, -0, 1e-40, Infinity, 3.4e38, -7]);
    const { tensors, metadata } = readSafetensors(
      writeSafetensors([{ name: 'a', shape: [2, 3], data }], 'F32', { k: 'v' }),
    );
    expect(metadata).toEqual({ format: 'pt', k: 'v' });
    expect(tensors.get('a')!.shape).toEqual([2, 3]);
    expect(new Uint8Array(toFloat32(tensors.get('a')!).buffer)).toEqual(new Uint8Array(data.buffer));
  });

  it('starts the data at a multiple of eight bytes', () => {
    for (const name of ['a', 'ab', 'abc', 'abcd']) {
      const bytes = writeSafetensors([{ name, shape: [1], data: new Float32Array(1) }]);
      expect((bytes.length - 4) % 8).toBe(0);
    }
  });

  it('refuses a shape that is not its data, and a name twice', () => {
    const a = { name: 'a', shape: [3], data: new Float32Array(2) };
    expect(() => writeSafetensors([a])).toThrow(/\[3\] but 2 values/);
    const b = { name: 'b', shape: [2], data: new Float32Array(2) };
    expect(() => writeSafetensors([b, b])).toThrow(/two tensors are called "b"/);
  });
});

describe('half precision', () => {
  it('keeps all 65536 patterns through f32 (NaNs as NaN)', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = float16ToFloat32(bits);
      if (Number.isNaN(value)) expect((bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0).toBe(true);
      else if (float32ToFloat16(value) !== bits) throw new Error(`${bits} came back as ${float32ToFloat16(value)}`);
    }
  });

  it('rounds to nearest, ties to even, at every boundary between neighbours', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const low = float16ToFloat32(bits),
        high = float16ToFloat32(bits + 1),
        middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      if (float32ToFloat16(middle) !== even)
        throw new Error(`the tie above ${bits} goes to ${float32ToFloat16(middle)}`);
      if (float32ToFloat16(-middle) !== (even | 0x8000)) throw new Error(`the tie below -${bits} is wrong`);
      if (float32ToFloat16(middle - (high - low) / 8) !== bits) throw new Error(`below the tie above ${bits}`);
      if (float32ToFloat16(middle + (high - low) / 8) !== bits + 1) throw new Error(`above the tie above ${bits}`);
    }
    expect(float32ToFloat16(65519.996)).toBe(0x7bff);
    expect(float32ToFloat16(65520)).toBe(0x7c00);
    expect(float32ToFloat16(-Infinity)).toBe(0xfc00);
    expect(float32ToFloat16(1e-10)).toBe(0);
  });
});
