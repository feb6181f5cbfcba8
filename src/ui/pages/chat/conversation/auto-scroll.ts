/** @file Scrolls the page down with an answer as it grows, until the user scrolls up. */

/** The page counts as scrolled to its end within this many pixels of it. */
const END_MARGIN = 60;

export class AutoScroll {
  #following = true;

  /** Scrolls to the end, and keeps following the answer. */
  toEnd(): void {
    this.#following = true;
    const page = document.scrollingElement;
    if (page) page.scrollTop = page.scrollHeight;
  }

  /** Call this when the page was scrolled. */
  scrolled(): void {
    const page = document.scrollingElement;
    if (page) this.#following = page.scrollHeight - page.scrollTop - page.clientHeight < END_MARGIN;
  }

  /** Follows an element while `isGrowing` says so. @returns a function that stops it */
  watch(element: HTMLElement, isGrowing: () => boolean): () => void {
    const observer = new ResizeObserver(() => {
      if (isGrowing() && this.#following) this.toEnd();
    });
    observer.observe(element);
    return () => observer.disconnect();
  }
}
