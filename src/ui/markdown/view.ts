/**
 * @file A growing markdown text on the page. Only blocks that changed are rendered; long work is cut into slices, and the
 * slower a text is to render the less often it is, so that the page always answers.
 */
import 'katex/dist/katex.min.css';
import { BlockSplitter } from './blocks';
import { spellControls } from './controls';
import { MAX_SHOWN } from './limits';
import { createMarkdown, renderBlock } from './markdown';
import { sanitize } from './sanitize';

/** Milliseconds of rendering after which the page gets its turn. */
const SLICE_MS = 12;
/** Rendering takes at most this share of the time. */
const SHARE = 0.25;

interface Shown {
  source: string;
  element: HTMLElement;
}

const md = createMarkdown();

export class MarkdownView {
  readonly #target: HTMLElement;
  readonly #observer: ResizeObserver;
  readonly #splitter = new BlockSplitter(md);
  readonly #shown: Shown[] = [];
  #text = '';
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the last slice ended, and how long it took, in milliseconds. */
  #last = { end: -Infinity, cost: 0 };
  #note: HTMLElement | null = null;

  constructor(target: HTMLElement) {
    this.#target = target;
    this.#observer = new ResizeObserver(() => makeReachable(target));
    this.#observer.observe(target);
    target.addEventListener('click', copyCode);
  }

  /** Shows the text, which usually is the last one with more behind it; soon, not at once. */
  update(text: string): void {
    this.#text = text;
    if (this.#timer !== undefined) return;
    const rest = Math.min(1000, this.#last.cost / SHARE) - (performance.now() - this.#last.end);
    if (rest <= 0) this.#render();
    else this.#timer = setTimeout(() => this.#render(), rest);
  }

  destroy(): void {
    clearTimeout(this.#timer);
    this.#observer.disconnect();
    this.#target.removeEventListener('click', copyCode);
    this.#target.replaceChildren();
  }

  #render(): void {
    this.#timer = undefined;
    const begin = performance.now();
    const text = spellControls(this.#text.length > MAX_SHOWN ? this.#text.slice(0, MAX_SHOWN) : this.#text);
    const blocks = this.#splitter.update(text.replace(/\r\n?/g, '\n').replaceAll('\0', '\ufffd'));
    for (const { element } of this.#shown.splice(blocks.length)) element.remove();
    let complete = true;
    for (const [i, block] of blocks.entries()) {
      const old = this.#shown[i];
      if (old?.source === block.source) continue;
      if (performance.now() - begin > SLICE_MS) {
        complete = false;
        break;
      }
      const element = old?.element ?? newBlock();
      element.classList.toggle('long', block.kind !== 'markdown');
      element.replaceChildren(sanitize(renderBlock(md, block, this.#splitter.env)));
      for (const pre of element.querySelectorAll('pre')) dressCode(pre);
      for (const table of element.querySelectorAll('table')) dressTable(table);
      if (!old) this.#target.insertBefore(element, this.#note);
      this.#shown[i] = { source: block.source, element };
    }
    if (complete) this.#noteRest();
    this.#last = { end: performance.now(), cost: performance.now() - begin };
    if (!complete) this.#timer = setTimeout(() => this.#render());
  }

  #noteRest(): void {
    const rest = this.#text.length - MAX_SHOWN;
    if (rest <= 0) {
      this.#note?.remove();
      this.#note = null;
      return;
    }
    this.#note ??= Object.assign(document.createElement('p'), { className: 'cut' });
    this.#note.textContent = `${rest.toLocaleString('en')} more characters are not shown; copying the answer gives all.`;
    if (!this.#note.isConnected) this.#target.append(this.#note);
  }
}

function newBlock(): HTMLElement {
  const element = document.createElement('div');
  element.className = 'block';
  element.dir = 'auto';
  return element;
}

/** What scrolls by itself must be reachable by keyboard; what doesn't is no stop on the way. */
function makeReachable(target: HTMLElement): void {
  for (const box of target.querySelectorAll<HTMLElement>('pre, .table-frame, .display-math')) {
    const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
    if (scrolls === box.hasAttribute('tabindex')) continue;
    if (scrolls) box.tabIndex = 0;
    else box.removeAttribute('tabindex');
  }
}

/** Names the language above the code and offers to copy it. */
function dressCode(pre: HTMLPreElement): void {
  const language = /^language-(.+)$/.exec(pre.querySelector('code')?.className ?? '')?.[1] ?? '';
  const head = document.createElement('div');
  head.className = 'code-head';
  const name = document.createElement('span');
  name.textContent = language;
  const copy = document.createElement('button');
  copy.type = 'button';
  copy.className = 'copy';
  copy.textContent = 'Copy';
  copy.setAttribute('aria-label', language ? `Copy the ${language} code` : 'Copy the code');
  head.append(name, copy);
  const frame = document.createElement('div');
  frame.className = 'code-block';
  pre.replaceWith(frame);
  frame.append(head, pre);
  pre.dir = 'ltr';
}

/** A wide table scrolls by itself, not the page. */
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
  const say = (text: string): void => {
    button.textContent = text;
    setTimeout(() => (button.textContent = 'Copy'), 1500);
  };
  navigator.clipboard.writeText(code).then(
    () => say('Copied'),
    () => say('Not allowed'),
  );
}
