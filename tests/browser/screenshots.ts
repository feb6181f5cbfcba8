/**
 * @file `npm run screenshots`: PNGs of every page at both sizes, light and dark, into docs/screenshots/. With the path of
 * a run's events (`npm run screenshots -- run.jsonl`) that run is imported first, so that the pages show a real one.
 */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { serveApp } from '../support/app';
import { launchBrowser, openPage, SIZES } from '../support/browser';

const OUT = 'docs/screenshots';
const PAGES = ['train', 'chat', 'runs', 'about'];
const events = process.argv[2];

mkdirSync(OUT, { recursive: true });
const app = await serveApp();
const browser = await launchBrowser();
try {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const options = { viewport, colorScheme, deviceScaleFactor: 2, reducedMotion: 'reduce' } as const;
      const { page, problems, close } = await openPage(browser, `${app.url}#/runs`, options);
      let run = '';
      if (events) {
        await page.getByLabel('Import a run').setInputFiles(resolve(events));
        await page.waitForURL('**/#/train?run=*');
        run = new URL(page.url()).hash;
      }
      for (const name of PAGES) {
        await page.goto(`${app.url}${name === 'train' && run ? run : `#/${name}`}`);
        await page.locator('main h1').first().waitFor();
        await page.waitForLoadState('networkidle');
        if (name === 'chat') {
          const examples = page.getByRole('group', { name: 'Example problems' });
          await examples.getByRole('button').first().click();
          await page.getByText(/\d+ tokens\/s/).waitFor({ timeout: 120_000 });
        }
        await page.waitForTimeout(1000);
        const path = `${OUT}/${name}-${size}-${colorScheme}.png`;
        await page.screenshot({ path });
        console.log(path);
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
