import { describe, expect, test } from 'vitest';
import { diagnose, type Diagnosis, type GpuFailure } from '../../../src/ui/shell/diagnosis/diagnose';
import { readEnvironment, type Environment, type NavigatorLike } from '../../../src/ui/shell/diagnosis/environment';
import { probeGpu } from '../../../src/ui/shell/diagnosis/probe';

const agents = {
  chromeLinux: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
  chromeWindows:
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36',
  chromeOldMac:
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Safari/537.36',
  chromeAndroid:
    'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile Safari/537.36',
  chromeIos:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1',
  edge: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36 Edg/150.0.0.0',
  opera:
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36 OPR/122.0.0.0',
  firefoxWindows: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0',
  firefoxNewWindows: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:150.0) Gecko/20100101 Firefox/150.0',
  firefoxLinux: 'Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0',
  safari17:
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15',
  safariPhone:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1',
  safari26:
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15',
  gnomeWeb: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/60.5 Safari/605.1.15',
};

const environment = (agent: keyof typeof agents, more: Partial<NavigatorLike> = {}, origin = 'https://example.org') =>
  readEnvironment({ userAgent: agents[agent], ...more }, !origin.startsWith('http://'), origin);

const textOf = (diagnosis: Diagnosis) =>
  [diagnosis.title, diagnosis.why, ...diagnosis.steps.flatMap((step) => [step.text, step.copy ?? ''])].join('\n');
const advice = (failure: GpuFailure['kind'], env: Environment) =>
  textOf(diagnose({ kind: failure, message: 'driver said no' }, env));

describe('readEnvironment', () => {
  test.each([
    ['chromeLinux', 'chrome', 156, 'linux'],
    ['chromeWindows', 'chrome', 150, 'windows'],
    ['chromeOldMac', 'chrome', 112, 'macos'],
    ['chromeAndroid', 'chrome', 150, 'android'],
    ['chromeIos', 'chrome', 126, 'ios'],
    ['edge', 'edge', 150, 'windows'],
    ['opera', 'opera', 122, 'windows'],
    ['firefoxWindows', 'firefox', 140, 'windows'],
    ['safari17', 'safari', 17, 'macos'],
    ['safariPhone', 'safari', 18, 'ios'],
    ['safari26', 'safari', 26, 'macos'],
    ['gnomeWeb', 'webkit', 0, 'linux'],
  ] as const)('%s', (agent, browser, version, system) => {
    expect(environment(agent)).toMatchObject({ browser, version, system });
  });

  test('an iPad that calls itself a Mac is recognised by its touch screen', () => {
    expect(environment('safari17', { maxTouchPoints: 5 }).system).toBe('ios');
  });

  test('an empty user agent gives an unknown browser', () => {
    expect(readEnvironment({ userAgent: '' }, true, '')).toMatchObject({
      browser: 'unknown',
      version: 0,
      system: 'unknown',
    });
  });
});

describe('diagnose', () => {
  test('an insecure address is named as the reason, with its remedies, before anything else', () => {
    const text = advice('no-api', environment('chromeWindows', {}, 'http://192.168.0.7:5173'));
    expect(text).toContain('http://192.168.0.7:5173');
    expect(text).toContain('http://localhost:5173/');
    expect(text).toContain('chrome://flags/#unsafely-treat-insecure-origin-as-secure');
    expect(advice('no-api', environment('firefoxWindows', {}, 'http://192.168.0.7:5173'))).not.toContain('chrome://');
  });

  test('an old browser is told which version it needs', () => {
    expect(advice('no-api', environment('chromeOldMac'))).toMatch(/from version 113\. This is version 112/);
    expect(advice('no-api', environment('firefoxWindows'))).toMatch(/from version 141\. This is version 140/);
    expect(advice('no-api', environment('safari17'))).toMatch(/from version 26\. This is version 17/);
  });

  test('a browser that is new enough is not told to update', () => {
    expect(advice('no-api', environment('firefoxNewWindows'))).not.toContain('version 141 or later:');
    expect(advice('no-api', environment('chromeWindows'))).toContain('chrome://flags/#enable-unsafe-webgpu');
  });

  test('Linux gets the command line, with the browser’s own name', () => {
    expect(advice('no-api', environment('chromeLinux'))).toContain('google-chrome --enable-unsafe-webgpu');
    expect(advice('no-api', environment('firefoxLinux'))).toContain('about:config');
  });

  test('on iOS it is the system that has to be updated, whatever the browser', () => {
    for (const agent of ['chromeIos', 'safariPhone'] as const) {
      expect(advice('no-api', environment(agent))).toContain('iOS or iPadOS 26');
      expect(advice('no-api', environment(agent))).not.toContain('chrome://');
    }
  });

  test('WebKit outside Apple’s systems is not taken for Safari', () => {
    const text = advice('no-api', environment('gnomeWeb'));
    expect(text).toContain('WebKitGTK');
    expect(text).not.toMatch(/Safari|macOS|version 60/);
  });

  test('a Safari that could have WebGPU is told what turns it off', () => {
    const text = advice('no-api', environment('safari26'));
    expect(text).toContain('Lockdown Mode');
    expect(text).not.toMatch(/This is version/);
  });

  test('another browser is only suggested if it runs on the same system', () => {
    expect(advice('no-api', environment('firefoxLinux'))).not.toMatch(/Windows|macOS/);
    expect(advice('no-api', environment('firefoxWindows'))).not.toMatch(/macOS|Android/);
  });

  test('browsers on Chrome’s engine get their own settings pages, and are not judged by their own version numbers', () => {
    expect(advice('no-adapter', environment('edge'))).toContain('edge://gpu');
    expect(advice('no-adapter', environment('opera'))).toContain('opera://gpu');
    expect(advice('no-api', environment('opera'))).not.toMatch(/This is version/);
  });

  test('the browser’s own message is shown when a device fails or is lost', () => {
    expect(advice('no-device', environment('chromeWindows'))).toContain('driver said no.');
    expect(advice('lost', environment('chromeWindows'))).toContain('driver said no.');
  });

  test('every browser, system and failure gets a title, a reason and at least one step', () => {
    for (const agent of Object.keys(agents) as (keyof typeof agents)[]) {
      for (const origin of ['https://example.org', 'http://10.0.0.2']) {
        for (const kind of ['no-api', 'no-adapter', 'no-device', 'lost'] as const) {
          const diagnosis = diagnose({ kind, message: '' }, environment(agent, {}, origin));
          expect(diagnosis.title.length).toBeGreaterThan(10);
          expect(diagnosis.why).toMatch(/[.!]$/);
          expect(diagnosis.steps.length).toBeGreaterThan(0);
          expect(new Set(diagnosis.steps.map((step) => step.text)).size).toBe(diagnosis.steps.length);
        }
      }
    }
  });
});

describe('probeGpu', () => {
  const gpu = (requestAdapter: () => Promise<unknown>) => ({ requestAdapter }) as unknown as GPU;

  test('distinguishes how far it got', async () => {
    expect(await probeGpu(undefined)).toEqual({ kind: 'no-api' });
    expect(await probeGpu(gpu(async () => null))).toEqual({ kind: 'no-adapter' });
    expect(await probeGpu(gpu(() => Promise.reject(new Error('crashed'))))).toEqual({ kind: 'no-adapter' });
    const broken = { requestDevice: () => Promise.reject(new Error('no memory')) };
    expect(await probeGpu(gpu(async () => broken))).toEqual({ kind: 'no-device', message: 'no memory' });
  });

  test('a working GPU is not a failure, and the device that was opened is destroyed', async () => {
    let destroyed = false;
    const device = { destroy: () => (destroyed = true) };
    expect(await probeGpu(gpu(async () => ({ requestDevice: async () => device })))).toBeNull();
    expect(destroyed).toBe(true);
  });
});
