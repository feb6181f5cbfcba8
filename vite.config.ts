/** @file Builds and serves the app, its service worker included; also vitest's configuration (projects: unit, gpu, gpu-swiftshader, browser). */
import { readFile } from 'node:fs/promises';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { VitePWA } from 'vite-plugin-pwa';
import type { Plugin } from 'vite';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';

/** Tests in Node on Dawn, on the best adapter found or the one that `env` names (tests/support/adapter.ts). */
const gpuProject = (
  name: string,
  groupOrder: number,
  tests: string[],
  env: Record<string, string> = {},
): TestProjectConfiguration => ({
  extends: true,
  test: {
    name,
    env,
    globalSetup: 'tests/support/setup.ts',
    include: tests.map((path) => `tests/${path}.test.ts`),
    testTimeout: 300_000,
    hookTimeout: 120_000,
    // Most of the time goes into compiling shaders for an emulated GPU, which takes one core.
    maxWorkers: 2,
    sequence: { groupOrder },
  },
});

/**
 * The app keeps itself for use without a network: a service worker that answers for the files of one build and for
 * nothing else. Registered by src/ui/shell, which also decides when an update may take over.
 */
const offline = VitePWA({
  registerType: 'prompt',
  injectRegister: false,
  manifest: {
    name: 'tinythink',
    short_name: 'tinythink',
    description: 'Watch a tiny language model learn to think, in your browser, on your own GPU.',
    // Relative, so that it is right under any base path. No id: it would be relative to the origin alone, which a page
    // of GitHub's shares with others; the start address is its default.
    start_url: './',
    scope: './',
    display: 'standalone',
    background_color: '#f7f6f3',
    theme_color: '#ffffff',
    categories: ['education', 'science'],
    icons: [
      { src: 'icons/icon.svg', sizes: 'any', type: 'image/svg+xml' },
      { src: 'icons/icon-192.png', sizes: '192x192', type: 'image/png' },
      { src: 'icons/icon-512.png', sizes: '512x512', type: 'image/png' },
      { src: 'icons/maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
    ],
  },
  includeManifestIcons: false,
  workbox: {
    // Chunks that are loaded late too; of fonts only the format that every browser with WebGPU reads.
    globPatterns: [
      '**/*.{html,js,css,woff2,wasm,svg,png,md}',
      'models/**/*.{json,jinja,txt,safetensors}',
      'recordings/*.{json,gz}',
    ],
    // Workbox leaves larger files out; the build fails if one is.
    maximumFileSizeToCacheInBytes: 16 * 2 ** 20,
    // Pages live behind the hash, so the start page's own address is the only one: no other path is answered for.
    navigateFallback: null,
    // From the first visit on; an update still waits until it is told.
    clientsClaim: true,
    skipWaiting: false,
    cleanupOutdatedCaches: true,
    inlineWorkboxRuntime: true,
    sourcemap: false,
  },
});

/**
 * Shaders go to the browser as text, to be linked there: in the build without their comments and indentation, a third of
 * them. WGSL has no strings that such a pattern could cut.
 */
const bareShaders: Plugin = {
  name: 'bare-shaders',
  apply: 'build',
  enforce: 'pre',
  async load(id) {
    if (!id.endsWith('.wesl?raw')) return null;
    const text = await readFile(id.slice(0, -'?raw'.length), 'utf8');
    const bare = text.replace(/\/\*[^]*?\*\/|\/\/.*$/gm, '').replace(/^\s+|[ \t]+$/gm, '');
    return `export default ${JSON.stringify(bare)};`;
  },
};

export default defineConfig({
  base: './',
  plugins: [svelte(), offline],
  worker: { format: 'es', plugins: () => [bareShaders] },
  build: { target: 'es2023', sourcemap: true },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            'tests/{base,cli,eval,formats,rl,runs,servers,storage,tasks,ui,worker}/**/*.test.ts',
            'tests/engine/library/**/*.test.ts',
            'tests/engine/{open,training/local-trainer}.test.ts',
            'tests/*.test.ts',
          ],
        },
      },
      gpuProject('gpu', 1, [
        '{gpu,nn}/**/*',
        'model/{train,decode}/**/*',
        'engine/training/{device-loss,distillation,grpo,plan,sft}',
      ]),
      // The kernels once more, where there is no f16 and a subgroup has 4 lanes; and whole models of many kinds of weights,
      // which are mostly compiling: this driver is quick at it.
      gpuProject(
        'gpu-swiftshader',
        2,
        ['{gpu,nn}/**/*', 'model/{infer,lora}/**/*', 'engine/chat/**/*', 'engine/training/{adapters,full-weights}'],
        { TINYTHINK_ADAPTERS: 'swiftshader' },
      ),
      {
        extends: true,
        test: {
          name: 'browser',
          globalSetup: 'tests/browser/setup.ts',
          include: ['tests/browser/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 180_000,
          // Pages are timed, and share one emulated GPU: one file after another, when nothing else runs.
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
