/** @file Builds and serves the app, its service worker included; also vitest's configuration (projects: unit, kernels, page; gpu, gpu-swiftshader, browser). */
import { readFile } from 'node:fs/promises';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { VitePWA } from 'vite-plugin-pwa';
import type { Plugin } from 'vite';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { thirdPartyNotices } from './scripts/third-party-notices.ts';

/** Tests in Node on Dawn, on the best adapter found or the one that `env` names (tests/support/adapter.ts). */
const gpuProject = (
  name: string,
  groupOrder: number,
  include: string[],
  env: Record<string, string> = {},
): TestProjectConfiguration => ({
  extends: true,
  test: {
    name,
    env,
    globalSetup: 'tests/support/setup.ts',
    include,
    testTimeout: 300_000,
    hookTimeout: 120_000,
    // Most of the time goes into compiling shaders for an emulated GPU, which uses one core.
    maxWorkers: 2,
    sequence: { groupOrder },
  },
});

/** Tests of the built page in Chromium. */
const browserProject = (
  name: string,
  groupOrder: number,
  include: string[],
  exclude: string[] = [],
): TestProjectConfiguration => ({
  extends: true,
  test: {
    name,
    globalSetup: 'tests/browser/setup.ts',
    include,
    exclude,
    testTimeout: 300_000,
    hookTimeout: 180_000,
    // The pages share one emulated GPU, and some are timed: one file after another, when nothing else runs.
    fileParallelism: false,
    sequence: { groupOrder },
  },
});

/** Compiles shaders fastest, and is there wherever Chromium is. No f16, subgroups of 4: like the plainest of devices. */
const PLAIN = { TINYTHINK_ADAPTERS: process.platform === 'linux' ? 'swiftshader' : 'native' };

const KERNELS = ['tests/{gpu,nn}/**/*.test.ts'];
/** Training, sampling and device loss on the GPU. Elsewhere the suffix says that a test needs one. */
const TRAINING = [
  'tests/model/{train,decode}/**/*.test.ts',
  'tests/engine/training/{device-loss,distillation,grpo,plan,sft}.test.ts',
  'tests/**/*.gpu.test.ts',
];
/** Whole models of many families and kinds of weights, which is mostly compiling. */
const MODELS = [
  'tests/model/{infer,lora}/**/*.test.ts',
  'tests/engine/chat/**/*.test.ts',
  'tests/engine/training/{adapters,full-weights}.test.ts',
];
/** The page that most depends on everything else: trains, saves, exports and chats. */
const PAGE = ['tests/browser/training.test.ts'];

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
      '**/*.{html,js,css,woff2,wasm,svg,png,md,txt}',
      'models/**/*.{json,jinja,txt,safetensors}',
      'recordings/*.{json,gz}',
    ],
    // Workbox leaves larger files out; the build fails if one is.
    maximumFileSizeToCacheInBytes: 16 * 2 ** 20,
    // Pages live behind the hash, so the start page's own address is the only one: no other path is answered for.
    navigateFallback: null,
    // Any query may follow it: a link from elsewhere often carries one, and no file of the build depends on it.
    ignoreURLParametersMatching: [/^/],
    runtimeCaching: [
      {
        // An empty query is no parameter to ignore. These functions are copied into the service worker as they are.
        urlPattern: ({ request }) =>
          request.mode === 'navigate' &&
          ['./?', 'index.html?'].some((end) => new URL(end, self.location.href).href === request.url.split('#')[0]),
        handler: async ({ request }) => (await caches.match('index.html', { ignoreSearch: true })) ?? fetch(request),
      },
    ],
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

/** Namespaces of messages that the engine's worker can need: those of the floors below the page. */
const WORKER_MESSAGES = ['common', 'config', 'models', 'storage'];

/** The worker's copy of the catalogue, without the texts of pages: a third of what it would be. */
const workerMessages: Plugin = {
  name: 'worker-messages',
  apply: 'build',
  enforce: 'pre',
  load(id) {
    if (!/src\/i18n\/en\/index\.ts$/.test(id)) return null;
    const imports = WORKER_MESSAGES.map((name) => `import { ${name} } from './${name}';`);
    return [...imports, `export const en = { ${WORKER_MESSAGES.join(', ')} };`].join('\n');
  },
};

const notices = thirdPartyNotices();

export default defineConfig({
  base: './',
  plugins: [svelte(), offline, notices.write],
  worker: { format: 'es', plugins: () => [bareShaders, workerMessages, notices.collect()] },
  build: { target: 'es2023', sourcemap: true },
  test: {
    projects: [
      // `npm test` runs the first three, with some of each kernel's cases; `npm run test:all` runs the rest, with all.
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['tests/**/*.test.ts'],
          exclude: ['tests/browser/**', ...KERNELS, ...TRAINING, ...MODELS],
        },
      },
      gpuProject('kernels', 1, KERNELS, { ...PLAIN, TINYTHINK_QUICK: '1' }),
      browserProject('page', 2, PAGE),
      // The kernels once more, now with f16 and subgroups of 8 where Mesa's driver is recent enough.
      gpuProject('gpu', 3, [...KERNELS, ...TRAINING]),
      gpuProject('gpu-swiftshader', 4, MODELS, PLAIN),
      browserProject('browser', 5, ['tests/browser/**/*.test.ts'], PAGE),
    ],
  },
});
