/** @file Scrolls the page down with an answer as it grows, until the user scrolls up. */

/** The page counts as scrolled to its end within this many pixels of it. */
const END_MARGIN = 60;

/** What a user does to look at something else. */
const ACTIONS = ['wheel', 'pointerdown', 'touchstart', 'keydown'] as const;

export class AutoScroll {
  #following = true;
  /** A conversation was opened at its end, and the user has done nothing since. */
  #arriving = false;

  /** Scrolls to the end of a conversation, and stays there while it is drawn: until then its height is a guess. */
  arrive(): void {
    this.#arriving = true;
    this.toEnd();
  }

  /** Scrolls to the end, and keeps following the answer. */
  toEnd(): void {
    this.#following = true;
    const page = document.scrollingElement;
    if (page) page.scrollTop = page.scrollHeight;
  }

  /** Call this when the page was scrolled. */
  scrolled(): void {
    const page = document.scrollingElement;
    if (page && !this.#arriving) this.#following = page.scrollHeight - page.scrollTop - page.clientHeight < END_MARGIN;
  }

  /** Follows an element while `isGrowing` says so. @returns a function that stops it */
  watch(element: HTMLElement, isGrowing: () => boolean): () => void {
    const observer = new ResizeObserver(() => {
      if (this.#arriving || (isGrowing() && this.#following)) this.toEnd();
    });
    observer.observe(element);
    const act = () => (this.#arriving = false);
    for (const type of ACTIONS) window.addEventListener(type, act, { capture: true, passive: true });
    return () => {
      observer.disconnect();
      for (const type of ACTIONS) window.removeEventListener(type, act, { capture: true });
    };
  }
}
