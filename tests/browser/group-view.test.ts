/** @file The group of a recorded run at widths between a phone and a desktop: a tablet, a projector, half a screen. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { overflow } from '../support/axe';
import { launchBrowser, openPage, type WatchedPage } from '../support/browser';

const HEIGHT = 768;
/** The least width of a column of text that can be read, in characters. */
const READABLE = 20;

let browser: Browser;
let watched: WatchedPage;
beforeAll(async () => {
  browser = await launchBrowser('none');
  watched = await openPage(browser, `${inject('appUrl')}#/train?recording=sums-grow`, {
    viewport: { width: 1280, height: HEIGHT },
  });
  await watched.page.getByRole('button', { name: 'One step' }).and(watched.page.locator(':enabled')).click();
  await watched.page.getByRole('option').first().waitFor();
});
afterAll(() => browser?.close());

test.each([390, 640, 641, 700, 768, 820, 900, 980, 981, 1024, 1100, 1150, 1280])('at %i px', async (width) => {
  const { page, problems } = watched;
  await page.setViewportSize({ width, height: HEIGHT });
  await page.evaluate(() => scrollTo(0, 0));
  const equation = (await page.getByRole('img', { name: /^Advantage:/ }).boundingBox())!;
  const text = page.getByText(/^Reward .* That is .* of its group/);
  const explanation = (await text.boundingBox())!;
  const character = await text.evaluate((element) => {
    const ruler = element.appendChild(document.createElement('span'));
    ruler.style.cssText = 'position: absolute; width: 1ch';
    const { width } = ruler.getBoundingClientRect();
    ruler.remove();
    return width;
  });
  // Below the equation or beside it, never across it.
  const below = explanation.y >= equation.y + equation.height;
  if (!below) expect(explanation.x).toBeGreaterThanOrEqual(equation.x + equation.width);
  expect(explanation.width / character).toBeGreaterThanOrEqual(READABLE);
  expect(explanation.x + explanation.width).toBeLessThanOrEqual(width);
  expect(await overflow(page)).toBeLessThanOrEqual(0);
  const answer = (await page.getByRole('option').first().boundingBox())!;
  // A phone is narrower than the explanation is long, and is held upright.
  if (width >= 640) expect(answer.y + answer.height).toBeLessThanOrEqual(HEIGHT);
  expect(problems).toEqual([]);
});
