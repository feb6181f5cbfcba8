/** @file When the page is first seen. */

/** A hidden tab is never painted; what waits for it goes on after this. */
const LONGEST_WAIT_MS = 1000;

/**
 * Resolves once the page has been painted. The engine starts after that: compiling its shaders keeps the browser's GPU
 * process busy, which on a software adapter would leave the page blank for seconds.
 */
export function firstPaint(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, LONGEST_WAIT_MS);
    try {
      new PerformanceObserver((list) => {
        if (list.getEntriesByName('first-contentful-paint').length > 0) resolve();
      }).observe({ type: 'paint', buffered: true });
    } catch {
      // A browser that doesn't tell: the time above is the answer.
    }
  });
}
