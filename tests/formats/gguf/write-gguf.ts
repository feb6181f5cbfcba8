/** @file Writes small GGUF files, right and wrong ones, for the tests of their reader. */

export type GgufValue = string | number | boolean | bigint | string[] | number[];

export interface GgufTensor {
  name: string;
  /** As PyTorch has it. */
  shape: number[];
  /** ggml's number; 0 is F32. */
  type: number;
  data: Uint8Array;
}

/** Integers are u32, other numbers f32, bigints u64. */
export function writeGguf(metadata: Record<string, GgufValue>, tensors: GgufTensor[], version = 3): Uint8Array {
  const bytes: number[] = [];
  const u32 = (value: number) => bytes.push(...new Uint8Array(Uint32Array.of(value).buffer));
  const u64 = (value: number | bigint) => bytes.push(...new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
  const f32 = (value: number) => bytes.push(...new Uint8Array(Float32Array.of(value).buffer));
  const text = (value: string) => {
    const utf8 = new TextEncoder().encode(value);
    u64(utf8.length);
    bytes.push(...utf8);
  };
  const value = (item: GgufValue) => {
    const scalar = (single: string | number | boolean | bigint, withType: boolean) => {
      const type =
        typeof single === 'string'
          ? 8
          : typeof single === 'boolean'
            ? 7
            : typeof single === 'bigint'
              ? 10
              : Number.isInteger(single)
                ? 4
                : 6;
      if (withType) u32(type);
      if (typeof single === 'string') text(single);
      else if (typeof single === 'boolean') bytes.push(Number(single));
      else if (typeof single === 'bigint') u64(single);
      else if (type === 4) u32(single);
      else f32(single);
    };
    if (!Array.isArray(item)) return scalar(item, true);
    u32(9);
    u32(typeof item[0] === 'string' ? 8 : 4);
    u64(item.length);
    for (const each of item) scalar(each, false);
  };
  u32(0x46554747);
  u32(version);
  u64(tensors.length);
  u64(Object.keys(metadata).length);
  for (const [key, item] of Object.entries(metadata)) {
    text(key);
    value(item);
  }
  let offset = 0;
  for (const { name, shape, type, data } of tensors) {
    text(name);
    u32(shape.length);
    for (const size of [...shape].reverse()) u64(size);
    u32(type);
    u64(offset);
    offset += Math.ceil(data.length / 32) * 32;
  }
  const start = Math.ceil(bytes.length / 32) * 32;
  const file = new Uint8Array(start + offset);
  file.set(bytes);
  let at = start;
  for (const { data } of tensors) {
    file.set(data, at);
    at += Math.ceil(data.length / 32) * 32;
  }
  return file;
}
