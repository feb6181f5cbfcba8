/**
 * @file `node scripts/run-ts.mjs tests/browser/icons.ts`: renders public/icons/icon.svg to the PNGs that installed apps want.
 * The maskable one has its background to the edge and the drawing within the middle 80%, which every mask shows.
 */
import { readFileSync } from 'node:fs';
import { launchBrowser } from '../support/browser';

const FOLDER = 'public/icons';
const svg = readFileSync(`${FOLDER}/icon.svg`, 'utf8');
const background = /<rect width="64" height="64" rx="14" fill="(#\w+)"\/>/.exec(svg)?.[1];
if (!background) throw new Error('icon.svg no longer begins with its background');

const icons = [
  { name: 'icon-192.png', size: 192, full: false },
  { name: 'icon-512.png', size: 512, full: false },
  { name: 'maskable-512.png', size: 512, full: true },
  { name: 'apple-touch-icon.png', size: 180, full: true },
];

const browser = await launchBrowser('none');
const page = await browser.newPage();
for (const { name, size, full } of icons) {
  const inner = full ? Math.round(size * 0.86) : size;
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(
    `<style>body{margin:0;display:grid;place-items:center;height:100vh;${full ? `background:${background}` : ''}}</style>
     <div style="width:${inner}px;height:${inner}px">${svg}</div>`,
  );
  await page.screenshot({ path: `${FOLDER}/${name}`, omitBackground: true });
}
await browser.close();
