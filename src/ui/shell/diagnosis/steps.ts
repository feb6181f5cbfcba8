/** @file What a diagnosis is made of, and the steps that several diagnoses share. */
import { t } from '../../../i18n';
import type { Environment } from './environment';

export interface Step {
  text: string;
  /** Something to paste: an address that a page may not link to, or a command line. */
  copy?: string;
}

export interface Diagnosis {
  title: string;
  why: string;
  steps: Step[];
}

/** Browsers on Chrome's engine have the same flags, some under a scheme of their own. */
export const isChromium = ({ browser }: Environment): boolean =>
  ['chrome', 'edge', 'opera', 'samsung'].includes(browser);

export const flagsScheme = ({ browser }: Environment): string =>
  browser === 'edge' || browser === 'opera' ? browser : 'chrome';

/** A browser on the same system that has WebGPU. */
export function otherBrowser({ system }: Environment): Step {
  switch (system) {
    case 'windows':
    case 'macos':
    case 'linux':
    case 'android':
      return { text: t(`shell:diagnosis.otherBrowser.${system}`) };
    default:
      return { text: t('shell:diagnosis.otherBrowser.other') };
  }
}

const LINUX_FLAGS =
  '--enable-unsafe-webgpu --ozone-platform=x11 --use-angle=vulkan --enable-features=Vulkan,VulkanFromANGLE';

/** How to turn WebGPU on in Chrome's engine on Linux. */
export function linuxSteps({ browser }: Environment): Step[] {
  const command = browser === 'edge' ? 'microsoft-edge' : browser === 'opera' ? 'opera' : 'google-chrome';
  return [
    { text: t('shell:diagnosis.linux.start'), copy: `${command} ${LINUX_FLAGS}` },
    { text: t('shell:diagnosis.linux.driver'), copy: 'vulkaninfo --summary' },
  ];
}
