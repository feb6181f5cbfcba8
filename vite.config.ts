/** @file Builds and serves the app; also vitest's configuration (projects: unit, gpu, gpu-swiftshader, browser). */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';

/** Tests in Node on Dawn, on the best adapter found or the one that `env` names (tests/support/adapter.ts). */
const gpuProject = (name: string, folders: string, env: Record<string, string> = {}): TestProjectConfiguration => ({
  extends: true,
  test: {
    name,
    env,
    globalSetup: 'tests/support/setup.ts',
    include: [`tests/${folders}/**/*.test.ts`],
    testTimeout: 300_000,
    hookTimeout: 120_000,
    // Two cores, and every GPU here is emulated on them: files run one after another.
    fileParallelism: false,
  },
});

export default defineConfig({
  base: './',
  plugins: [svelte()],
  worker: { format: 'es' },
  build: { target: 'es2023', sourcemap: true },
  test: {
    projects: [
      { extends: true, test: { name: 'unit', include: ['tests/{tasks,rl,formats,runs,worker,ui,cli}/**/*.test.ts'] } },
      gpuProject('gpu', '{gpu,nn,model,grpo}'),
      // The kernels once more, where there is no f16 and a subgroup has 4 lanes.
      gpuProject('gpu-swiftshader', '{gpu,nn}', { TINYTHINK_ADAPTERS: 'swiftshader' }),
      {
        extends: true,
        test: {
          name: 'browser',
          globalSetup: 'tests/browser/setup.ts',
          include: ['tests/browser/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
