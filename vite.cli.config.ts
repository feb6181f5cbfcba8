/** @file Bundles the headless runner and its benchmarks into one file, `dist/cli.mjs`, that needs only Node and the `webgpu` package. */
import { defineConfig } from 'vite';

export default defineConfig({
  publicDir: false,
  ssr: { noExternal: true, external: ['webgpu'] },
  build: {
    ssr: 'bench/cli.ts',
    target: 'node20',
    outDir: 'dist',
    emptyOutDir: false,
    minify: false,
    rollupOptions: { output: { entryFileNames: 'cli.mjs', codeSplitting: false } },
  },
});
