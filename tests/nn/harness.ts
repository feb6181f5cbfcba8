/** @file What the layer tests share: a device, seeded random numbers, and runs whose every write is watched. */
import { afterAll, beforeAll, expect } from 'vitest';
import type { Gpu, Tensor } from '../../src/gpu/gpu';
import type { Recorder } from '../../src/gpu/recorder';
import { rng } from '../../src/base/rng';
import { openTestGpu } from '../support/gpu';

/** Words behind each buffer's own that no kernel may touch. */
const GUARD_WORDS = 8;
/** As f32 a NaN, as u32 an index far out of range. */
const POISON = 0xffffffff;

type Data = Float32Array | Uint32Array;

export const poison = (n: number): Float32Array => new Float32Array(n).fill(NaN);

/** @param name printed with the seed, so that a failure can be repeated */
export function layerTest(name: string) {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = rng(seed);
  let gpu!: Gpu;
  beforeAll(async () => {
    gpu = await openTestGpu();
    console.log(`${name}: seed ${seed} on ${gpu.description}`);
  });
  afterAll(() => gpu.destroy());

  async function once<K extends string>(
    data: Record<K, Data>,
    record: (recorder: Recorder, t: Record<K, Tensor>) => void,
    on: Gpu,
  ) {
    const names = Object.keys(data) as K[];
    const tensors = {} as Record<K, Tensor>;
    for (const key of names) {
      const words = new Uint32Array(data[key].length + GUARD_WORDS).fill(POISON);
      words.set(new Uint32Array(data[key].buffer, data[key].byteOffset, data[key].length));
      tensors[key] = on.alloc(key, words.byteLength);
      on.write(tensors[key], words);
    }
    const recorder = on.recorder();
    record(recorder, tensors);
    const reads = names.map((key) => recorder.read(tensors[key], (data[key].length + GUARD_WORDS) * 4));
    recorder.submit();
    const contents = await Promise.all(reads);
    on.free(...Object.values<Tensor>(tensors));
    return names.map((key, i) => [key, new Uint32Array(contents[i]!)] as const);
  }

  return {
    random,
    get gpu() {
      return gpu;
    },
    /** Not centred on 0, so that a lost term shows. */
    floats: (n: number, scale = 1) => Float32Array.from({ length: n }, () => scale * (2 * random.next() - 0.9)),
    /**
     * Records work over fresh buffers with this contents and returns what they hold afterwards, as f32. Checks that a
     * second run gives the same bits, and that nothing was written behind a buffer's end.
     * @param on another device than the test's own
     */
    async run<K extends string>(
      data: Record<K, Data>,
      record: (recorder: Recorder, t: Record<K, Tensor>) => void,
      on: Gpu = gpu,
    ) {
      const words = await once(data, record, on);
      expect(await once(data, record, on)).toEqual(words);
      const results = {} as Record<K, Float32Array>;
      for (const [key, content] of words) {
        const { length } = data[key];
        expect([...content.subarray(length)], `behind ${key}`).toEqual(new Array(GUARD_WORDS).fill(POISON));
        results[key] = new Float32Array(content.buffer, 0, length);
      }
      return results;
    },
  };
}
