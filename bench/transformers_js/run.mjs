/**
 * @file How fast transformers.js decodes in headless Chromium, on its WebGPU device: on a machine without a GPU that is
 * SwiftShader. Prints milliseconds a token and writes JSON.
 *
 *     npm install --prefix DIR @huggingface/transformers@4.3.1   (DIR/.npmrc: onnxruntime-node-install=skip)
 *     python bench/transformers_js/make_model.py MODELS/tiny --shape tiny
 *     node bench/transformers_js/run.mjs DIR/node_modules MODELS tiny [--dtype q4|fp32] [--context 128] [--tokens 32]
 *          [--repeats 5] [--json FILE]
 *
 * Not part of the tests: nothing in the repository depends on these packages. CHROME_PATH names another browser.
 */
import { createReadStream, existsSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dtype: { type: 'string', default: 'q4' },
    device: { type: 'string', default: 'webgpu' },
    context: { type: 'string', default: '128' },
    tokens: { type: 'string', default: '32' },
    repeats: { type: 'string', default: '5' },
    json: { type: 'string' },
  },
});
const [packages, models, model] = positionals;
if (!model) throw new Error('usage: run.mjs NODE_MODULES MODELS_FOLDER MODEL');

const types = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};
const here = dirname(fileURLToPath(import.meta.url));

const server = createServer((request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
  let file = join(here, 'page.html');
  if (path.startsWith('/package/')) file = join(packages, path.slice('/package/'.length));
  else if (path.startsWith('/models/')) file = join(models, path.slice('/models/'.length));
  else if (path !== '/') file = '';
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

const browser = await chromium.launch({
  executablePath: process.env.CHROME_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
});
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(`page: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') console.error(`console: ${message.text()}`);
  });
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.waitForFunction('window.ready', null, { timeout: 60_000 });
  const settings = {
    model,
    dtype: values.dtype,
    device: values.device,
    context: Number(values.context),
    tokens: Number(values.tokens),
    repeats: Number(values.repeats),
  };
  const { runs, adapter } = await page.evaluate((settings) => window.bench(settings), settings);
  const median = (key) => runs.map((run) => run[key]).toSorted((a, b) => a - b)[Math.floor(runs.length / 2)];
  const least = Math.min(...runs.map((run) => run.perToken));
  const result = { ...settings, adapter, msPerToken: median('perToken'), least, firstTokenMs: median('first'), runs };
  console.log(
    `transformers.js, ${model} ${values.dtype} on ${values.device} (${adapter}): ` +
      `${result.msPerToken.toFixed(2)} ms/token (${(1000 / result.msPerToken).toFixed(1)} tokens/s, ` +
      `least ${least.toFixed(2)} ms) after ${values.context} tokens, the first after ` +
      `${result.firstTokenMs.toFixed(0)} ms; median of ${runs.length} × ${values.tokens} tokens`,
  );
  if (values.json) writeFileSync(values.json, JSON.stringify(result, null, 1));
} finally {
  await browser.close();
  server.close();
}
