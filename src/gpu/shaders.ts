/** @file All of `shaders/`, as text, keyed by the path that WESL's linker expects. */

const files = import.meta.glob<string>('../../shaders/**/*.wesl', { query: '?raw', import: 'default', eager: true });

export const shaderSources: Record<string, string> = Object.fromEntries(
  Object.entries(files).map(([path, text]) => [path.replace('../../shaders/', './'), text]),
);
