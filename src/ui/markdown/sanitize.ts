/**
 * @file The last gate before the page: HTML in, a harmless fragment out. The markdown renderer already lets no HTML
 * through; should it ever, nothing here runs, loads, submits, names itself after a global or leaves its place.
 */
import DOMPurify, { type Config } from 'dompurify';

const CONFIG = {
  USE_PROFILES: { html: true, svg: true, mathMl: true },
  // KaTeX keeps a formula's source beside its MathML.
  ADD_TAGS: ['semantics', 'annotation'],
  FORBID_TAGS: [
    ...['style', 'form', 'input', 'button', 'select', 'textarea', 'option', 'label', 'dialog', 'details', 'template'],
    ...[
      'img',
      'picture',
      'source',
      'audio',
      'video',
      'track',
      'image',
      'use',
      'filter',
      'foreignobject',
      'map',
      'area',
    ],
  ],
  FORBID_ATTR: ['id', 'name', 'src', 'srcset', 'poster', 'background', 'action', 'formaction', 'ping', 'xlink:href'],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
} as const;

/** What KaTeX and tables set; no other property, and no value that could load anything or leave its place. */
const DECLARATION =
  /^(?:(?:min-|max-)?(?:width|height)|top|bottom|left|right|vertical-align|text-align|text-shadow|(?:margin|padding|border)(?:-(?:top|right|bottom|left))?(?:-(?:width|style|color))?|color|background-color)\s*:\s*[-+.,#%\w\s]+$|^position\s*:\s*relative$/i;

export const harmlessStyle = (style: string): boolean =>
  style
    .split(';')
    .map((each) => each.trim())
    .every((each) => each === '' || DECLARATION.test(each));

let ready = false;
function prepare(): void {
  ready = true;
  DOMPurify.addHook('uponSanitizeAttribute', (_node, data) => {
    if (data.attrName === 'style' && !harmlessStyle(data.attrValue)) data.keepAttr = false;
    // Within a fragment there is nothing to point to, and outside of it is nothing to find.
    if (data.attrName === 'href' && data.attrValue.startsWith('#')) data.keepAttr = false;
  });
}

/** A fragment of the document, with links that open elsewhere and say where that is. */
export function sanitize(html: string): DocumentFragment {
  if (!ready) prepare();
  const fragment = DOMPurify.sanitize(html, CONFIG as unknown as Config & { RETURN_DOM_FRAGMENT: true });
  for (const link of fragment.querySelectorAll('a')) dressLink(link);
  return fragment;
}

function dressLink(link: HTMLAnchorElement): void {
  const url = parseUrl(link.href);
  if (!url || !/^(?:https?|mailto):$/.test(url.protocol)) {
    link.replaceWith(...link.childNodes);
    return;
  }
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  link.title = url.href;
  // A link's text says nothing about where it leads; the host, spelt in ASCII, does.
  if (url.host && link.textContent !== url.href && !link.textContent?.startsWith(`${url.origin}/`)) {
    const host = document.createElement('span');
    host.className = 'host';
    host.textContent = ` (${url.host})`;
    link.append(host);
  }
}

function parseUrl(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
