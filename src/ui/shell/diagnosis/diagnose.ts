/**
 * @file From what failed and where, to why and what to do about it. Versions are those of the WebGPU working group's
 * implementation status (github.com/gpuweb/gpuweb/wiki/Implementation-Status, April 2026) and MDN's compatibility data.
 */
import type { Environment } from './environment';

/** How far the page got on its way to a GPU device. */
export type GpuFailure =
  | { kind: 'no-api' }
  | { kind: 'no-adapter' }
  | { kind: 'no-device'; message: string }
  | { kind: 'lost'; message: string };

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

/** Chrome's engine under another name answers to the same flags and shows them under its own scheme. */
const isChromium = (env: Environment) => ['chrome', 'edge', 'opera', 'samsung'].includes(env.browser);
const scheme = (env: Environment) =>
  (({ edge: 'edge', opera: 'opera' }) as Record<string, string>)[env.browser] ?? 'chrome';

const ANOTHER_BROWSER: Step = {
  text: 'Or open this page in a current Chrome or Edge on Windows, macOS, ChromeOS or Android, in Firefox 141 or later on Windows, or in Safari 26.',
};

const LINUX_FLAGS =
  '--enable-unsafe-webgpu --ozone-platform=x11 --use-angle=vulkan --enable-features=Vulkan,VulkanFromANGLE';

function onLinux(env: Environment): Step[] {
  const command = env.browser === 'edge' ? 'microsoft-edge' : env.browser === 'opera' ? 'opera' : 'google-chrome';
  return [
    {
      text: 'Close every window of the browser, then start it from a terminal with Vulkan and WebGPU switched on:',
      copy: `${command} ${LINUX_FLAGS}`,
    },
    { text: 'Check that the system has a Vulkan driver; this should name your GPU:', copy: 'vulkaninfo --summary' },
  ];
}

function insecure(env: Environment): Diagnosis {
  const port = /:(\d+)$/.exec(env.origin)?.[1];
  const steps: Step[] = [
    {
      text: 'If the page is served by this machine, open it as localhost:',
      copy: `http://localhost${port ? `:${port}` : ''}/`,
    },
    { text: 'Otherwise serve it over https; any certificate that the browser accepts will do.' },
  ];
  if (isChromium(env)) {
    steps.push({
      text: `To try it without a certificate, add ${env.origin} to the list on this settings page, and restart the browser:`,
      copy: `${scheme(env)}://flags/#unsafely-treat-insecure-origin-as-secure`,
    });
  }
  return {
    title: 'This address is not secure, so the browser hides the GPU',
    why: `Browsers offer WebGPU only over https or on localhost. This page came from ${env.origin}.`,
    steps,
  };
}

function noApi(env: Environment): Diagnosis {
  const { browser, browserName, version, system, systemName } = env;
  const title = `${capital(browserName)} offers no WebGPU here`;
  const update = (text: string): Step => ({ text });
  if (system === 'ios') {
    return {
      title,
      why: 'On iPhone and iPad every browser runs on the WebKit that comes with the system, and it has WebGPU from version 26.',
      steps: [
        update('Update to iOS or iPadOS 26 or later: Settings › General › Software Update.'),
        update('On version 17.4 or 18, switch it on: Settings › Apps › Safari › Advanced › Feature Flags › WebGPU.'),
      ],
    };
  }
  if (browser === 'safari') {
    return {
      title,
      why: `Safari has WebGPU from version 26 on${version ? `; this is version ${version}` : ''}.`,
      steps: [
        update('Update to macOS 26 or later: System Settings › General › Software Update.'),
        update(
          'On Safari 18, switch it on: Settings › Advanced › Show features for web developers, then Develop › Feature Flags › WebGPU.',
        ),
        ANOTHER_BROWSER,
      ],
    };
  }
  if (browser === 'firefox') return noApiFirefox(env, title);
  if (isChromium(env)) return noApiChromium(env, title);
  return {
    title,
    why: `WebGPU, the browser's way to compute on the GPU, is missing in ${browserName} on ${systemName}.`,
    steps: [update('Update the browser and try again.'), ANOTHER_BROWSER],
  };
}

function noApiFirefox({ version, system, systemName }: Environment, title: string): Diagnosis {
  const flag: Step = {
    text: 'Or switch it on for this version, where it is experimental: set dom.webgpu.enabled to true on this page:',
    copy: 'about:config',
  };
  if (system === 'windows' || system === 'macos') {
    const from = system === 'windows' ? 141 : 147;
    const where = system === 'windows' ? 'Windows' : 'Macs with Apple silicon';
    return {
      title,
      why:
        version >= from
          ? `Firefox has WebGPU on ${where}, but it is not on here: the graphics driver may be blocked, it may be switched off, or the machine may be one that is not supported yet.`
          : `Firefox has WebGPU on ${where} from version ${from} on; this is version ${version}.`,
      steps: [
        version >= from
          ? {
              text: 'See what Firefox says of the driver under “Decision Log” on this page; a newer driver often helps:',
              copy: 'about:support',
            }
          : { text: `Update Firefox to version ${from} or later: Menu › Help › About Firefox.` },
        flag,
        ANOTHER_BROWSER,
      ],
    };
  }
  return {
    title,
    why: `Firefox does not switch WebGPU on by default on ${systemName} yet; its Nightly versions do.`,
    steps: [{ text: 'Use Firefox Nightly.' }, flag, ANOTHER_BROWSER],
  };
}

function noApiChromium(env: Environment, title: string): Diagnosis {
  const { browserName, version, system, systemName } = env;
  const flag: Step = {
    text: 'Switch it on, then restart the browser:',
    copy: `${scheme(env)}://flags/#enable-unsafe-webgpu`,
  };
  // Opera and Samsung Internet count versions of their own, which say nothing of Chrome's.
  const sameVersions = env.browser === 'chrome' || env.browser === 'edge';
  const from = system === 'android' ? 121 : system === 'linux' ? 144 : 113;
  if (sameVersions && version > 0 && version < from) {
    return {
      title,
      why: `${browserName} has WebGPU on ${systemName} from version ${from} on; this is version ${version}.`,
      steps: [{ text: `Update ${browserName}.` }, ...(system === 'linux' ? onLinux(env) : [])],
    };
  }
  if (system === 'linux') {
    return {
      title,
      why: `On Linux, ${browserName} switches WebGPU on by itself only for some GPUs: Intel of generation 12 or later from version 144, NVIDIA with driver 535.183.01 or later from version 147. Others need a flag.`,
      steps: onLinux(env),
    };
  }
  if (system === 'android') {
    return {
      title,
      why: `On Android, ${browserName} has WebGPU on Android 12 or later with an ARM, Qualcomm or Intel GPU, and on Android 16 with an Imagination GPU.`,
      steps: [{ text: `Update ${browserName} and Android.` }, flag],
    };
  }
  return {
    title,
    why: `${browserName} has WebGPU on ${systemName}, but it is off here: by a setting, by a policy, or because the machine is not supported yet (Windows on ARM needs the flag).`,
    steps: [
      flag,
      { text: 'Switch graphics acceleration on, then restart the browser:', copy: `${scheme(env)}://settings/system` },
      { text: 'See what the browser says under WebGPU:', copy: `${scheme(env)}://gpu` },
    ],
  };
}

function noAdapter(env: Environment): Diagnosis {
  const steps: Step[] = [];
  if (isChromium(env)) {
    steps.push(
      { text: 'Switch graphics acceleration on, then restart the browser:', copy: `${scheme(env)}://settings/system` },
      { text: 'See under WebGPU whether the GPU is blocked and why:', copy: `${scheme(env)}://gpu` },
    );
    if (env.system === 'linux') steps.push(...onLinux(env));
    else
      steps.push({
        text: 'Update the graphics driver. If the GPU stays blocked, this flag overrides the block, at your own risk:',
        copy: `${scheme(env)}://flags/#enable-unsafe-webgpu`,
      });
    steps.push({
      text: 'Without a GPU, a much slower software one still runs the small presets; start the browser with:',
      copy: '--enable-unsafe-webgpu --use-webgpu-adapter=swiftshader',
    });
  } else if (env.browser === 'firefox') {
    steps.push({
      text: 'See what Firefox says of WebGPU and the driver on this page, and update the driver:',
      copy: 'about:support',
    });
  } else {
    steps.push({ text: 'Update the system and its graphics driver, and restart the browser.' });
  }
  steps.push({
    text: 'In a virtual machine or over remote desktop, the browser often sees no GPU: try on the machine itself.',
  });
  return {
    title: 'The browser has WebGPU, but found no GPU for it',
    why: 'It knows WebGPU and was asked for an adapter, but offered none: graphics acceleration is off, the GPU or its driver is on the browser’s block list, or the machine has no GPU that WebGPU can use.',
    steps,
  };
}

/** The reason and the remedy, for this browser on this system. Pure: the same input gives the same words. */
export function diagnose(failure: GpuFailure, env: Environment): Diagnosis {
  if (!env.secure && failure.kind === 'no-api') return insecure(env);
  switch (failure.kind) {
    case 'no-api':
      return noApi(env);
    case 'no-adapter':
      return noAdapter(env);
    case 'no-device':
      return {
        title: 'The GPU is there, but would not open',
        why: `The browser found the GPU and then refused it: ${sentence(failure.message)}`,
        steps: [
          { text: 'Close other pages and programs that use the GPU, then reload this page.' },
          { text: 'Restart the browser: after several crashes of the GPU it refuses to open it again.' },
          { text: 'Update the graphics driver.' },
        ],
      };
    case 'lost':
      return {
        title: 'The GPU was lost',
        why: `It stopped answering while it worked: ${sentence(failure.message)} A run goes on from its last checkpoint.`,
        steps: [
          {
            text: 'Resume the run. If the GPU is lost again, choose fewer prompts, fewer completions or shorter ones: the batch may be too large for it.',
          },
          {
            text: 'A laptop that slept, a driver update and another program’s crash also take the GPU away; then a reload is enough.',
          },
        ],
      };
  }
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
const sentence = (text: string) => {
  const trimmed = text.trim() || 'it gave no reason';
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
};
