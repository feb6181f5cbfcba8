/**
 * @file Advice for a browser without WebGPU. Versions are those of the WebGPU working group's implementation status
 * (github.com/gpuweb/gpuweb/wiki/Implementation-Status, April 2026) and MDN's compatibility data.
 */
import { t } from '../../../i18n';
import type { Environment } from './environment';
import { flagsScheme, isChromium, linuxSteps, otherBrowser, type Diagnosis, type Step } from './steps';

type Advice = Omit<Diagnosis, 'title'>;

export function missingApi(env: Environment): Diagnosis {
  return { title: t('shell:diagnosis.noApi.title', { browser: env.browserName }), ...adviceFor(env) };
}

function adviceFor(env: Environment): Advice {
  if (env.system === 'ios') return onIos();
  if (env.browser === 'safari') return inSafari(env);
  if (env.browser === 'webkit') return { why: t('shell:diagnosis.noApi.webkit'), steps: [otherBrowser(env)] };
  if (env.browser === 'firefox') return inFirefox(env);
  if (isChromium(env)) return inChromium(env);
  return {
    why: t('shell:diagnosis.noApi.unknown', { browser: env.browserName, system: env.systemName }),
    steps: [{ text: t('shell:diagnosis.updateBrowser', { browser: env.browserName }) }, otherBrowser(env)],
  };
}

function onIos(): Advice {
  return {
    why: t('shell:diagnosis.noApi.ios.why'),
    steps: [{ text: t('shell:diagnosis.noApi.ios.update') }, { text: t('shell:diagnosis.noApi.ios.flag') }],
  };
}

function inSafari(env: Environment): Advice {
  const { version } = env;
  const update: Step = { text: t('shell:diagnosis.noApi.safari.update') };
  if (version >= 26) {
    return {
      why: t('shell:diagnosis.noApi.safari.off'),
      steps: [
        update,
        { text: t('shell:diagnosis.noApi.safari.lockdown') },
        { text: t('shell:diagnosis.noApi.safari.flag') },
        otherBrowser(env),
      ],
    };
  }
  return {
    why:
      version > 0
        ? t('shell:diagnosis.noApi.safari.older', { version })
        : t('shell:diagnosis.noApi.safari.unknownVersion'),
    steps: [update, { text: t('shell:diagnosis.noApi.safari.flag18') }, otherBrowser(env)],
  };
}

function inFirefox(env: Environment): Advice {
  const { version, system } = env;
  const flag: Step = { text: t('shell:diagnosis.noApi.firefox.flag'), copy: 'about:config' };
  if (system !== 'windows' && system !== 'macos') {
    return {
      why: t('shell:diagnosis.noApi.firefox.notByDefault', { system: env.systemName }),
      steps: [{ text: t('shell:diagnosis.noApi.firefox.nightly') }, flag, otherBrowser(env)],
    };
  }
  const from = system === 'windows' ? 141 : 147;
  const where = t(`shell:diagnosis.noApi.firefox.${system}`);
  if (version < from) {
    return {
      why: t('shell:diagnosis.noApi.firefox.older', { where, from, version }),
      steps: [{ text: t('shell:diagnosis.noApi.firefox.update', { from }) }, flag, otherBrowser(env)],
    };
  }
  return {
    why: t('shell:diagnosis.noApi.firefox.off', { where }),
    steps: [{ text: t('shell:diagnosis.noApi.firefox.support'), copy: 'about:support' }, flag, otherBrowser(env)],
  };
}

function inChromium(env: Environment): Advice {
  const { browserName: browser, version, system, systemName } = env;
  const scheme = flagsScheme(env);
  const flag: Step = {
    text: t('shell:diagnosis.noApi.chromium.flag'),
    copy: `${scheme}://flags/#enable-unsafe-webgpu`,
  };
  // Opera and Samsung Internet have version numbers of their own, which say nothing about Chrome's.
  const hasChromeVersion = env.browser === 'chrome' || env.browser === 'edge';
  const from = system === 'android' ? 121 : system === 'linux' ? 144 : 113;
  if (hasChromeVersion && version > 0 && version < from) {
    return {
      why: t('shell:diagnosis.noApi.olderVersion', { browser, system: systemName, from, version }),
      steps: [
        { text: t('shell:diagnosis.updateBrowser', { browser }) },
        ...(system === 'linux' ? linuxSteps(env) : []),
      ],
    };
  }
  if (system === 'linux')
    return { why: t('shell:diagnosis.noApi.chromium.linux', { browser }), steps: linuxSteps(env) };
  if (system === 'android') {
    return {
      why: t('shell:diagnosis.noApi.chromium.android', { browser }),
      steps: [{ text: t('shell:diagnosis.noApi.chromium.updateBoth', { browser }) }, flag],
    };
  }
  return {
    why: t('shell:diagnosis.noApi.chromium.off', { browser, system: systemName }),
    steps: [
      flag,
      { text: t('shell:diagnosis.noApi.chromium.acceleration'), copy: `${scheme}://settings/system` },
      { text: t('shell:diagnosis.noApi.chromium.status'), copy: `${scheme}://gpu` },
    ],
  };
}
