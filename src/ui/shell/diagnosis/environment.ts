/** @file Which browser on which system this is, read from the user agent string. */
import { t } from '../../../i18n';

/** `safari` is Apple's; `webkit` is WebKit elsewhere, as in GNOME Web on Linux. */
export type Browser = 'chrome' | 'edge' | 'opera' | 'samsung' | 'firefox' | 'safari' | 'webkit' | 'unknown';
export type System = 'windows' | 'macos' | 'linux' | 'chromeos' | 'android' | 'ios' | 'unknown';

export interface Environment {
  browser: Browser;
  /** The browser's name as people write it. */
  browserName: string;
  /** Major version; 0 if unknown. */
  version: number;
  system: System;
  systemName: string;
  /** WebGPU exists only in secure contexts: https, or http on this very machine. */
  secure: boolean;
  /** Scheme, host and port of this page. */
  origin: string;
}

/** The part of `navigator` that is read. */
export interface NavigatorLike {
  userAgent: string;
  maxTouchPoints?: number;
}

const BROWSERS: [Browser, string, RegExp][] = [
  // The order matters: all but Firefox and Safari also claim to be Chrome, and all but Firefox also claim to be Safari.
  ['edge', 'Edge', /\bEdg(?:A|iOS)?\/(\d+)/],
  ['opera', 'Opera', /\bOPR\/(\d+)/],
  ['samsung', 'Samsung Internet', /\bSamsungBrowser\/(\d+)/],
  ['firefox', 'Firefox', /\b(?:Firefox|FxiOS)\/(\d+)/],
  ['chrome', 'Chrome', /\b(?:Chrome|HeadlessChrome|CriOS)\/(\d+)/],
  ['safari', 'Safari', /\bVersion\/(\d+)[\d.]* (?:Mobile\/\S+ )?Safari\//],
];

const SYSTEMS: [System, string, RegExp][] = [
  ['ios', 'iOS', /\b(?:iPhone|iPad|iPod)\b/],
  ['android', 'Android', /\bAndroid\b/],
  ['chromeos', 'ChromeOS', /\bCrOS\b/],
  ['windows', 'Windows', /\bWindows\b/],
  ['macos', 'macOS', /\bMac OS X\b|\bMacintosh\b/],
  ['linux', 'Linux', /\bLinux\b|\bX11\b/],
];

export function readEnvironment(navigator: NavigatorLike, secure: boolean, origin: string): Environment {
  const { userAgent } = navigator;
  let [browser, browserName, version]: [Browser, string, number] = ['unknown', t('shell:diagnosis.thisBrowser'), 0];
  for (const [id, name, pattern] of BROWSERS) {
    const match = pattern.exec(userAgent);
    if (!match) continue;
    [browser, browserName, version] = [id, name, Number(match[1])];
    break;
  }
  let [system, systemName]: [System, string] = ['unknown', t('shell:diagnosis.thisSystem')];
  const found = SYSTEMS.find(([, , pattern]) => pattern.test(userAgent));
  if (found) [system, systemName] = found;
  // An iPad asks for desktop pages by calling itself a Mac; no Mac has a touch screen.
  if (system === 'macos' && (navigator.maxTouchPoints ?? 0) > 1) [system, systemName] = ['ios', 'iPadOS'];
  // WebKitGTK and WPE call themselves Safari, with version numbers of their own.
  if (browser === 'safari' && system !== 'macos' && system !== 'ios') {
    [browser, browserName, version] = ['webkit', t('shell:diagnosis.thisBrowser'), 0];
  }
  return { browser, browserName, version, system, systemName, secure, origin };
}

/** This page's own environment. */
export const currentEnvironment = (): Environment => readEnvironment(navigator, isSecureContext, location.origin);
