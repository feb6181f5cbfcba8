/**
 * @file Turns HTML into a harmless fragment, as the last step before the page. The Markdown renderer already lets no HTML
 * through. If it ever did, nothing could run, load, submit, shadow a global or cover the page.
 */
import DOMPurify, { type Config } from 'dompurify';

const CONFIG = {
  USE_PROFILES: { html: true, svg: true, mathMl: true },
  // KaTeX puts a formula's source beside its MathML.
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

/** The CSS that KaTeX and tables use. No other property, and no value that could load something or cover the page. */
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
    // Links within the page are removed: an answer has no targets, and must not point at the rest of the page.
    if (data.attrName === 'href' && data.attrValue.startsWith('#')) data.keepAttr = false;
  });
}

/** A harmless fragment, whose links open in a new tab and show their host. */
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
  // The text of a link can claim any address, so its host is shown, in ASCII.
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
