/** @file Explains why there is no GPU, and what to do about it, for this browser on this system. */
import { t } from '../../../i18n';
import type { Environment } from './environment';
import { missingApi } from './missing-api';
import { flagsScheme, isChromium, linuxSteps, type Diagnosis, type Step } from './steps';

export type { Diagnosis, Step } from './steps';

/** How far the page got on its way to a GPU device. */
export type GpuFailure =
  | { kind: 'no-api' }
  | { kind: 'no-adapter' }
  | { kind: 'no-device'; message: string }
  | { kind: 'lost'; message: string };

/** The reason and the remedies. Pure: the same input gives the same text. */
export function diagnose(failure: GpuFailure, env: Environment): Diagnosis {
  switch (failure.kind) {
    case 'no-api':
      return env.secure ? missingApi(env) : insecureOrigin(env);
    case 'no-adapter':
      return missingAdapter(env);
    case 'no-device':
      return {
        title: t('shell:diagnosis.noDevice.title'),
        why: t('shell:diagnosis.noDevice.why', { reason: asSentence(failure.message) }),
        steps: [
          { text: t('shell:diagnosis.noDevice.close') },
          { text: t('shell:diagnosis.noDevice.restart') },
          { text: t('shell:diagnosis.noDevice.driver') },
        ],
      };
    case 'lost':
      return {
        title: t('shell:diagnosis.lost.title'),
        why: t('shell:diagnosis.lost.why', { reason: asSentence(failure.message) }),
        steps: [{ text: t('shell:diagnosis.lost.resume') }, { text: t('shell:diagnosis.lost.reload') }],
      };
  }
}

/** WebGPU exists only on secure origins. */
function insecureOrigin(env: Environment): Diagnosis {
  const { origin } = env;
  const port = /:(\d+)$/.exec(origin)?.[1];
  const steps: Step[] = [
    { text: t('shell:diagnosis.insecure.localhost'), copy: `http://localhost${port ? `:${port}` : ''}/` },
    { text: t('shell:diagnosis.insecure.https') },
  ];
  if (isChromium(env)) {
    steps.push({
      text: t('shell:diagnosis.insecure.flag', { origin }),
      copy: `${flagsScheme(env)}://flags/#unsafely-treat-insecure-origin-as-secure`,
    });
  }
  return { title: t('shell:diagnosis.insecure.title'), why: t('shell:diagnosis.insecure.why', { origin }), steps };
}

function missingAdapter(env: Environment): Diagnosis {
  return {
    title: t('shell:diagnosis.noAdapter.title'),
    why: t('shell:diagnosis.noAdapter.why'),
    steps: [...adapterSteps(env), { text: t('shell:diagnosis.noAdapter.virtual') }],
  };
}

function adapterSteps(env: Environment): Step[] {
  if (env.browser === 'firefox') return [{ text: t('shell:diagnosis.noAdapter.firefox'), copy: 'about:support' }];
  if (!isChromium(env)) return [{ text: t('shell:diagnosis.noAdapter.other') }];
  const scheme = flagsScheme(env);
  return [
    { text: t('shell:diagnosis.noApi.chromium.acceleration'), copy: `${scheme}://settings/system` },
    { text: t('shell:diagnosis.noAdapter.blocked'), copy: `${scheme}://gpu` },
    ...(env.system === 'linux'
      ? linuxSteps(env)
      : [{ text: t('shell:diagnosis.noAdapter.override'), copy: `${scheme}://flags/#enable-unsafe-webgpu` }]),
    {
      text: t('shell:diagnosis.noAdapter.software'),
      copy: '--enable-unsafe-webgpu --use-webgpu-adapter=swiftshader',
    },
  ];
}

/** The browser's own message, with a full stop. */
function asSentence(message: string): string {
  const trimmed = message.trim();
  if (trimmed === '') return t('shell:diagnosis.noReason');
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
