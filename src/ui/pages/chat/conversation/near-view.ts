/** @file Tells elements near the visible part of the page from those far away, which need not be drawn. */

/** How far beyond the window an element still counts as near. */
const MARGIN = '1000px 0px';

export class NearView {
  readonly #reports = new Map<Element, (isNear: boolean) => void>();
  readonly #observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) this.#reports.get(target)?.(isIntersecting);
    },
    { rootMargin: MARGIN },
  );

  /** Reports at once, and whenever it changes. @returns a function that stops it */
  watch(element: Element, report: (isNear: boolean) => void): () => void {
    this.#reports.set(element, report);
    this.#observer.observe(element);
    return () => {
      this.#reports.delete(element);
      this.#observer.unobserve(element);
    };
  }
}

/** Questions, with their answers, that come and go together. */
export const ROUNDS_PER_SECTION = 5;

export interface Section<Round> {
  /** The number of its first round. */
  first: number;
  rounds: Round[];
}

/** Rounds in sections, of which the last may have fewer. */
export function inSections<Round>(rounds: readonly Round[], size = ROUNDS_PER_SECTION): Section<Round>[] {
  const sections: Section<Round>[] = [];
  for (let first = 0; first < rounds.length; first += size) {
    sections.push({ first, rounds: rounds.slice(first, first + size) });
  }
  return sections;
}
