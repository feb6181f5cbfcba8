/**
 * @file Every sentence that a person reads on the page comes from here: i18next over catalogues with typed keys. `t` takes
 * `namespace:key`, values for `{{name}}`, and `count` where a text has `_one` and `_other` forms. Numbers are formatted
 * with `{{name, number}}`.
 */
import i18next from 'i18next';
import { en } from './en';

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'common';
    resources: typeof en;
  }
}

const i18n = i18next.createInstance();
void i18n.init({
  lng: 'en',
  fallbackLng: 'en',
  defaultNS: 'common',
  resources: { en },
  // The catalogues are part of the bundle, so the first call of `t` already finds them.
  initAsync: false,
  // Svelte escapes what it shows; nothing is ever inserted as HTML.
  interpolation: { escapeValue: false },
});

// i18next's own formatter makes an Intl.NumberFormat for each set of values, at 0.2 ms each, and keeps them all.
const numberFormats = new Map<string, Intl.NumberFormat>();
i18n.services.formatter?.add('number', (value: number, language = 'en') => {
  const format = numberFormats.get(language) ?? new Intl.NumberFormat(language);
  numberFormats.set(language, format);
  return format.format(value);
});

export const { t } = i18n;

/** The language of the page, as a BCP 47 tag. */
export const language = (): string => i18n.language;
