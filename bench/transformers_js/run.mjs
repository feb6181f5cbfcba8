/**
 * @file How fast transformers.js and this repository's engine run one checkpoint in headless Chromium on the same WebGPU
 * adapter: on a machine without a GPU that is SwiftShader. Both stay loaded, each in a page of its own, and take turns,
 * since such a machine is noisy; prints both and their ratio for every pair of runs, and writes JSON.
 *
 *     npm install --prefix DIR @huggingface/transformers@4.3.1   (DIR/.npmrc: onnxruntime-node-install=skip)
 *     python bench/transformers_js/make_model.py MODELS/tiny --shape tiny
 *     node bench/transformers_js/run.mjs DIR/node_modules MODELS tiny [--dtype q4,fp32] [--context 128] [--tokens 32]
 *          [--pairs 5] [--device webgpu|wasm] [--only tinythink|transformers.js] [--json FILE]
 *
 * `--device` is transformers.js's. The tokens of the float32 runs are compared: both hold the same weights.
 *
 * Not part of the tests: nothing in the repository depends on these packages. CHROME_PATH names another browser.
 */
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { build } from 'vite';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dtype: { type: 'string', default: 'q4,fp32' },
    device: { type: 'string', default: 'webgpu' },
    context: { type: 'string', default: '128' },
    tokens: { type: 'string', default: '32' },
    pairs: { type: 'string', default: '5' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});
const [packages, models, model] = positionals;
if (!model) throw new Error('usage: run.mjs NODE_MODULES MODELS_FOLDER MODEL');

const OURS = 'tinythink';
const THEIRS = 'transformers.js';
const here = dirname(fileURLToPath(import.meta.url));
const built = mkdtempSync(join(tmpdir(), 'engine-'));
const flags = ['--no-sandbox', '--disable-dev-shm-usage', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

const types = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** The file behind a path of the server, or '' where there is none. */
function fileOf(path) {
  if (path === `/${THEIRS}`) return join(here, 'page.html');
  if (path === `/${OURS}`) return join(here, 'engine.html');
  if (path === '/engine.js') return join(built, 'engine.js');
  if (path.startsWith('/package/')) return join(packages, path.slice('/package/'.length));
  if (path.startsWith('/models/')) return join(models, path.slice('/models/'.length));
  return '';
}

async function serve() {
  const server = createServer((request, response) => {
    const file = fileOf(normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname)));
    if (!file || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-type', types[extname(file)] ?? 'application/octet-stream');
    // Isolated, so that the CPU parts of ONNX Runtime may use threads.
    response.setHeader('cross-origin-opener-policy', 'same-origin');
    response.setHeader('cross-origin-embedder-policy', 'require-corp');
    response.setHeader('content-length', statSync(file).size);
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** A page with the engine of that name, and the model loaded in it. */
async function open(browser, address, name, settings) {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(`${name}: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') console.error(`${name}: ${message.text()}`);
  });
  await page.goto(`${address}/${name}`);
  await page.waitForFunction('window.ready', null, { timeout: 60_000 });
  const adapter = await page.evaluate((settings) => window.bench.load(settings), settings);
  const once = async (options) => {
    await page.bringToFront();
    return page.evaluate((options) => window.bench.once(options), options);
  };
  return { name, adapter, once, close: () => page.close() };
}

const median = (numbers) => {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const spread = (numbers, digits) =>
  `${median(numbers).toFixed(digits)} (${Math.min(...numbers).toFixed(digits)} to ${Math.max(...numbers).toFixed(digits)})`;

/** Prints what the runs of one engine, and those of both, come to. */
function report(dtype, engines, pairs, context) {
  const tokensPerSecond = { decode: (run) => 1000 / run.perToken, prefill: (run) => (1000 * context) / run.first };
  for (const [what, speed] of Object.entries(tokensPerSecond)) {
    for (const { name } of engines) {
      const speeds = pairs.map((pair) => speed(pair[name]));
      console.log(`${dtype} ${what.padEnd(8)}${name.padEnd(16)}${spread(speeds, 1)} tokens/s`);
    }
    if (engines.length < 2) continue;
    const ratios = pairs.map((pair) => speed(pair[OURS]) / speed(pair[THEIRS]));
    console.log(
      `${dtype} ${what.padEnd(8)}ratio of pairs  ${spread(ratios, 2)}: ${ratios.map((r) => r.toFixed(2)).join(', ')}`,
    );
  }
}

const server = await serve();
await build({
  configFile: false,
  logLevel: 'warn',
  publicDir: false,
  build: {
    outDir: built,
    emptyOutDir: false,
    target: 'es2023',
    lib: { entry: join(here, 'engine.ts'), formats: ['es'], fileName: 'engine' },
  },
});
const browser = await chromium.launch({ executablePath: process.env.CHROME_PATH ?? '/usr/bin/chromium', args: flags });
const results = [];
try {
  const version = JSON.parse(readFileSync(join(packages, '@huggingface/transformers/package.json'), 'utf8')).version;
  const runtime = JSON.parse(readFileSync(join(packages, 'onnxruntime-web/package.json'), 'utf8')).version;
  console.log(`Chromium ${browser.version()}, transformers.js ${version}, onnxruntime-web ${runtime}`);
  const context = Number(values.context);
  const tokens = Number(values.tokens);
  const prompt = Array.from({ length: context }, (_, i) => (i * 7919) % 2000);
  for (const dtype of values.dtype.split(',')) {
    const address = `http://127.0.0.1:${server.address().port}`;
    const engines = [];
    for (const name of [OURS, THEIRS].filter((name) => !values.only || name === values.only)) {
      engines.push(await open(browser, address, name, { model, dtype, device: values.device }));
      // Compiles whatever is compiled on first use.
      await engines.at(-1).once({ prompt, tokens: 8 });
    }
    console.log(
      `${model} in ${dtype}, ${context} tokens of prompt, then ${tokens}; ${values.pairs} pairs of runs; ` +
        engines.map(({ name, adapter }) => `${name} on ${adapter}`).join(', '),
    );
    const pairs = [];
    for (let i = 0; i < Number(values.pairs); i++) {
      const pair = {};
      for (const { name, once } of engines) pair[name] = await once({ prompt, tokens });
      pairs.push(pair);
    }
    report(dtype, engines, pairs, context);
    if (dtype === 'fp32' && engines.length === 2) {
      const [ours, theirs] = [pairs[0][OURS].ids, pairs[0][THEIRS].ids];
      console.log(`fp32: ${ours.filter((id, i) => id === theirs[i]).length} of ${tokens} tokens are the same`);
    }
    results.push({ model, dtype, context, tokens, pairs });
    for (const { close } of engines) await close();
  }
  if (values.json) writeFileSync(values.json, JSON.stringify(results, null, 1));
} finally {
  await browser.close();
  server.close();
  rmSync(built, { recursive: true });
}
