/** @file Builds and serves the app; also vitest's configuration (projects: unit, gpu, browser). */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  base: './',
  plugins: [svelte()],
  worker: { format: 'es' },
  build: { target: 'es2023', sourcemap: true },
  test: {
    projects: [
      { extends: true, test: { name: 'unit', include: ['tests/{tasks,rl,formats,runs,ui,cli}/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'gpu',
          include: ['tests/{gpu,nn,model,grpo}/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          // Two cores, and every GPU here is emulated on them: files run one after another.
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['tests/browser/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
