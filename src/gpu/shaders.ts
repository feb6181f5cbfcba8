/**
 * @file All of `shaders/`, as text, keyed by the path that WESL's linker expects. What only large models need comes when
 * the first kernel of theirs is asked for (large-shaders.ts): the page's first seconds need not wait for it.
 */

export type ShaderSources = Record<string, string>;

const first = byPath(
  import.meta.glob<string>(
    [
      '../../shaders/**/*.wesl',
      '!../../shaders/{gemm,gemv,pack,sample,lora}*.wesl',
      '!../../shaders/{attention_decode*,attention_prefill,kv_write,gather_packed}.wesl',
      '!../../shaders/lib/{gemm,gemv,weight,pack,lora,sampling,kv_cache,rotate,raw_floats,float_bits,subgroup_matrix}*.wesl',
    ],
    { query: '?raw', import: 'default', eager: true },
  ),
);

let all: ShaderSources | null = null;

/** The sources that `shaders/<name>.wesl` is linked from. */
export async function shaderSources(name: string): Promise<ShaderSources> {
  if (`./${name}.wesl` in first) return first;
  all ??= { ...first, ...(await import('./large-shaders')).largeShaders };
  return all;
}

/** By the linker's paths, out of what Vite's glob gives. */
export function byPath(files: Record<string, string>): ShaderSources {
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [path.replace('../../shaders/', './'), text]));
}
