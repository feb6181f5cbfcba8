/** @file The shaders that only large models need: those that shaders.ts leaves out. */
import { byPath } from './shaders';

export const largeShaders = byPath(
  import.meta.glob<string>(
    [
      '../../shaders/{gemm,gemv,pack,sample,lora}*.wesl',
      '../../shaders/{attention_decode*,attention_prefill,kv_write,gather_packed}.wesl',
      '../../shaders/lib/{gemm,gemv,weight,pack,lora,sampling,kv_cache,rotate,raw_floats,float_bits,subgroup_matrix}*.wesl',
    ],
    { query: '?raw', import: 'default', eager: true },
  ),
);
