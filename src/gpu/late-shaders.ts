/** @file The shader sources that only models with packed weights and benchmarks use. Loaded on demand by ./shader-library.ts. */

/** WESL text by its path from this file. */
export const lateShaders = import.meta.glob<string>('../../shaders/{infer,lora,benchmark}/**/*.wesl', {
  query: '?raw',
  import: 'default',
  eager: true,
});
