/**
 * @file Renders a growing Markdown text into an element. Only blocks that changed are rendered. Long work is done in slices
 * (render-queue.ts), and slow texts are rendered less often, so that the page stays responsive.
 */
import 'katex/dist/katex.min.css';
import { t } from '../../i18n';
import { BlockSplitter } from './blocks';
import { spellControls } from './controls';
import { MAX_SHOWN } from './limits';
import { createMarkdown, renderBlock } from './markdown';
import { RenderQueue, type Renderable } from './render-queue';
import { sanitize } from './sanitize';

/** The largest share of the time that rendering may take. */
const SHARE = 0.25;

interface Shown {
  source: string;
  element: HTMLElement;
}

const md = createMarkdown();
const queue = new RenderQueue();

export class MarkdownView implements Renderable {
  readonly #target: HTMLElement;
  /** Watches the boxes that may scroll, each by itself: looking at all of them whenever one grows would take ever longer. */
  readonly #observer = new ResizeObserver((entries) => {
    for (const { target } of entries) makeReachable(target as HTMLElement);
  });
  readonly #splitter = new BlockSplitter(md);
  readonly #shown: Shown[] = [];
  #text = '';
  #isWaiting = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the last slice ended, and how long it took, in milliseconds. */
  #last = { end: -Infinity, cost: 0 };
  #note: HTMLElement | null = null;

  constructor(target: HTMLElement) {
    this.#target = target;
    target.addEventListener('click', copyCode);
  }

  /** Shows a text, usually the last one with more at its end. Rendering may happen a moment later. */
  update(text: string): void {
    this.#text = text;
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const rest = Math.min(1000, this.#last.cost / SHARE) - (performance.now() - this.#last.end);
    if (rest <= 0) queue.add(this);
    else this.#timer = setTimeout(() => queue.add(this), rest);
  }

  destroy(): void {
    clearTimeout(this.#timer);
    queue.remove(this);
    this.#observer.disconnect();
    this.#target.removeEventListener('click', copyCode);
    this.#target.replaceChildren();
  }

  render(isLate: () => boolean): boolean {
    const begin = performance.now();
    const text = spellControls(this.#text.length > MAX_SHOWN ? this.#text.slice(0, MAX_SHOWN) : this.#text);
    const blocks = this.#splitter.update(text.replace(/\r\n?/g, '\n').replaceAll('\0', '\ufffd'), isLate);
    const { isWhole } = this.#splitter;
    if (isWhole) for (const { element } of this.#shown.splice(blocks.length)) element.remove();
    let complete = isWhole;
    let rendered = 0;
    for (const [i, block] of blocks.entries()) {
      const old = this.#shown[i];
      if (old?.source === block.source) continue;
      if (rendered++ > 0 && isLate()) {
        complete = false;
        break;
      }
      const element = old?.element ?? newBlock();
      element.classList.toggle('long', block.kind !== 'markdown');
      element.replaceChildren(sanitize(renderBlock(md, block, this.#splitter.env)));
      for (const pre of element.querySelectorAll('pre')) dressCode(pre);
      for (const table of element.querySelectorAll('table')) dressTable(table);
      for (const box of element.querySelectorAll('pre, .table-frame, .display-math')) this.#observer.observe(box);
      if (!old) this.#target.insertBefore(element, this.#note);
      this.#shown[i] = { source: block.source, element };
    }
    if (complete) this.#noteRest();
    this.#last = { end: performance.now(), cost: performance.now() - begin };
    this.#isWaiting = !complete;
    return complete;
  }

  #noteRest(): void {
    const rest = this.#text.length - MAX_SHOWN;
    if (rest <= 0) {
      this.#note?.remove();
      this.#note = null;
      return;
    }
    this.#note ??= Object.assign(document.createElement('p'), { className: 'cut' });
    this.#note.textContent = t('common:markdown.moreOfAnswer', { count: rest });
    if (!this.#note.isConnected) this.#target.append(this.#note);
  }
}

function newBlock(): HTMLElement {
  const element = document.createElement('div');
  element.className = 'block';
  element.dir = 'auto';
  return element;
}

/** Makes a box reachable by keyboard if it scrolls. */
function makeReachable(box: HTMLElement): void {
  const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
  if (scrolls === box.hasAttribute('tabindex')) return;
  if (scrolls) box.tabIndex = 0;
  else box.removeAttribute('tabindex');
}

/** Adds a line above the code with its language and a button to copy it. */
function dressCode(pre: HTMLPreElement): void {
  const language = /^language-(.+)$/.exec(pre.querySelector('code')?.className ?? '')?.[1] ?? '';
  const head = document.createElement('div');
  head.className = 'code-head';
  const name = document.createElement('span');
  name.textContent = language;
  const copy = document.createElement('button');
  copy.type = 'button';
  copy.className = 'copy';
  copy.textContent = t('common:copy');
  copy.setAttribute(
    'aria-label',
    language ? t('common:markdown.copyLanguage', { language }) : t('common:markdown.copyCode'),
  );
  head.append(name, copy);
  const frame = document.createElement('div');
  frame.className = 'code-block';
  pre.replaceWith(frame);
  frame.append(head, pre);
  pre.dir = 'ltr';
}

/** Puts a table into a frame, so that a wide table scrolls without the page. */
function dressTable(table: HTMLTableElement): void {
  const frame = document.createElement('div');
  frame.className = 'table-frame';
  table.replaceWith(frame);
  frame.append(table);
}

function copyCode(event: Event): void {
  const button = (event.target as Element).closest<HTMLButtonElement>('button.copy');
  const code = button?.closest('.code-block')?.querySelector('code')?.textContent;
  if (!button || code === undefined || code === null) return;
  const showResult = (text: string): void => {
    button.textContent = text;
    setTimeout(() => (button.textContent = t('common:copy')), 1500);
  };
  navigator.clipboard.writeText(code).then(
    () => showResult(t('common:copied')),
    () => showResult(t('common:copyBlocked')),
  );
}
