/** @file Headless Chromium with or without WebGPU, and pages that fail a test when they log an error. */
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';
import { findOrInstallChrome } from './chrome';

/** The flags that give headless Chromium its software GPU on a machine without one. */
const SOFTWARE_GPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
const NO_GPU = ['--disable-features=WebGPU', '--disable-gpu'];

type WebGpu = 'swiftshader' | 'none';

const launchOptions = (webgpu: WebGpu) => ({
  executablePath: findOrInstallChrome(),
  // Containers have neither user namespaces for the sandbox nor much shared memory.
  args: ['--no-sandbox', '--disable-dev-shm-usage', ...(webgpu === 'none' ? NO_GPU : SOFTWARE_GPU)],
});

export const launchBrowser = (webgpu: WebGpu = 'swiftshader'): Promise<Browser> =>
  chromium.launch(launchOptions(webgpu));

/** A browser with a profile in that folder: what pages store lies on disk there, and not in memory as otherwise. */
export const launchProfile = (folder: string, webgpu: WebGpu = 'swiftshader'): Promise<BrowserContext> =>
  chromium.launchPersistentContext(folder, launchOptions(webgpu));

export const SIZES = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
} as const;

export interface WatchedPage {
  page: Page;
  /** Uncaught exceptions, console errors, and requests that failed or left this machine. */
  problems: string[];
  close(): Promise<void>;
}

export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = { viewport: SIZES.desktop },
): Promise<WatchedPage> {
  // A service worker would answer before the test's own routes; tests/browser/offline.test.ts has it.
  const context = await browser.newContext({ serviceWorkers: 'block', ...options });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (/^https?:/.test(request.url()) && new URL(request.url()).origin !== new URL(url).origin) {
      problems.push(`left this machine: ${request.url()}`);
    }
  });
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`);
  });
  await page.goto(url);
  return { page, problems, close: () => context.close() };
}
