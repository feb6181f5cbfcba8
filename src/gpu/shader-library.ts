/**
 * @file The WESL sources in `shaders/`, keyed by the paths that WESL's linker expects. The page starts with the sources that
 * the tiny model needs; those for packed weights are a chunk of their own, fetched with the first kernel that uses them.
 */

/** WESL text by path: `./train/layers/rope.wesl`. */
export type ShaderSources = Record<string, string>;

const first = byPath(
  import.meta.glob<string>('../../shaders/{train,decode,lib}/**/*.wesl', {
    query: '?raw',
    import: 'default',
    eager: true,
  }),
);

let all: ShaderSources | null = null;

/** The sources that `shaders/<name>.wesl` can be linked from. */
export async function shaderSources(name: string): Promise<ShaderSources> {
  if (`./${name}.wesl` in first) return first;
  all ??= { ...first, ...byPath((await import('./late-shaders')).lateShaders) };
  return all;
}

function byPath(files: Record<string, string>): ShaderSources {
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [path.replace('../../shaders/', './'), text]));
}
