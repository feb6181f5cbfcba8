/**
 * @file `npm run screenshots`: PNGs of every page at both sizes, light and dark, into docs/screenshots/. With the path of
 * a run's events (`npm run screenshots -- public/recordings/sums-grow.jsonl.gz`; gzipped or not) that run is imported
 * first, so that the pages show a real one.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { serveApp } from '../support/app';
import { launchBrowser, openPage, SIZES } from '../support/browser';
import { isQuiet } from '../support/wait';

const OUT = 'docs/screenshots';
const PAGES = ['train', 'chat', 'models', 'eval', 'distil', 'connect', 'runs', 'about'];
const [, , path] = process.argv;
/** The run to show, as a person would drop it on the page. */
const run = path && {
  name: basename(path, '.gz'),
  mimeType: 'application/jsonl',
  buffer: path.endsWith('.gz') ? gunzipSync(readFileSync(path)) : readFileSync(path),
};

mkdirSync(OUT, { recursive: true });
const app = await serveApp();
const browser = await launchBrowser();
try {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const options = { viewport, colorScheme, reducedMotion: 'reduce' } as const;
      const { page, problems, close } = await openPage(browser, `${app.url}#/runs`, options);
      let address = '';
      if (run) {
        await page.getByLabel('Import a run').setInputFiles(run);
        await page.waitForURL('**/#/train?run=*');
        address = new URL(page.url()).hash;
      }
      for (const name of PAGES) {
        await page.goto(`${app.url}${name === 'train' && address ? address : `#/${name}`}`);
        await page.locator('main h1').first().waitFor();
        await page.waitForLoadState('networkidle');
        if (name === 'chat') {
          const examples = page.getByRole('group', { name: 'Example problems' });
          await examples.getByRole('button').first().click();
          // Only a whole answer can be asked for again.
          await page.getByRole('button', { name: 'Regenerate' }).waitFor({ timeout: 120_000 });
        }
        await isQuiet(page, 1000);
        const file = `${OUT}/${name}-${size}-${colorScheme}.png`;
        await page.screenshot({ path: file });
        console.log(file);
      }
      for (const problem of problems) console.error(`  ${problem}`);
      await close();
    }
  }
} finally {
  await browser.close();
  await app.close();
}
process.exit(0);
