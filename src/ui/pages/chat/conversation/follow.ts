/** @file The page follows an answer down as it grows, until the reader scrolls up. */

/** So close to the end, in pixels, the reader is at the end. */
const NEAR = 60;

export class Follow {
  #sticks = true;

  /** To the end, and to stay there. */
  toEnd(): void {
    this.#sticks = true;
    const page = document.scrollingElement;
    if (page) page.scrollTop = page.scrollHeight;
  }

  /** To be called when the page was scrolled. */
  scrolled(): void {
    const page = document.scrollingElement;
    if (page) this.#sticks = page.scrollHeight - page.scrollTop - page.clientHeight < NEAR;
  }

  /** Watches an element that grows while `grows` says so. Returns how to stop. */
  watch(element: HTMLElement, grows: () => boolean): () => void {
    const observer = new ResizeObserver(() => {
      if (grows() && this.#sticks) this.toEnd();
    });
    observer.observe(element);
    return () => observer.disconnect();
  }
}
