/**
 * @file The WebGPU adapters that kernel tests run on in Node. On Linux these are Vulkan's software drivers, so that the
 * tests need no GPU and give the same numbers everywhere: llvmpipe (f16 and subgroups of 8; Dawn needs Mesa 25) and
 * SwiftShader (no f16), which comes with Chromium. Elsewhere it is the machine's own adapter.
 */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { create, globals } from 'webgpu';
import { findChrome } from './chrome';

export interface TestAdapter {
  name: 'llvmpipe' | 'swiftshader' | 'native';
  /** The Vulkan driver's manifest, as VK_ICD_FILENAMES takes it; undefined for the machine's own adapter. */
  icd?: string;
}

const LLVMPIPE = ['/usr/share/vulkan/icd.d/lvp_icd.json', '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json'];

function swiftShaderFiles(): string[] {
  const chrome = findChrome();
  const folders = ['/usr/lib/chromium', '/opt/google/chrome'];
  // Beside the binary itself: /usr/bin/google-chrome is a link, and Playwright's folder has a version in its name.
  if (chrome) folders.unshift(dirname(realpathSync(chrome)));
  return folders.map((folder) => join(folder, 'vk_swiftshader_icd.json'));
}

// Instances must outlive their adapters and devices: Dawn's binding frees an instance with its JavaScript object.
const instances: GPU[] = [];

/**
 * A WebGPU entry point that sees only `adapter`. The Vulkan loader reads the environment each time an instance is
 * made, so one process can hold instances of several drivers. `toggles` are Dawn's, as in `enable-dawn-features=…`.
 */
export function openGpu(adapter: TestAdapter, toggles: string[] = []): GPU {
  Object.assign(globalThis, globals);
  if (adapter.icd) {
    process.env.VK_ICD_FILENAMES = adapter.icd;
    process.env.XDG_RUNTIME_DIR ??= '/tmp';
  }
  const gpu = create(toggles);
  instances.push(gpu);
  return gpu;
}

async function works(adapter: TestAdapter): Promise<boolean> {
  try {
    return (await openGpu(adapter).requestAdapter()) !== null;
  } catch {
    return false;
  }
}

/**
 * The adapters usable here, the most capable first. Throws when there is none, because kernel tests that silently test
 * nothing are worse than a failure. `TINYTHINK_ADAPTERS=llvmpipe,…` restricts the list.
 */
export async function adapters(): Promise<TestAdapter[]> {
  const wanted = process.env.TINYTHINK_ADAPTERS?.split(',');
  const candidates: TestAdapter[] = [];
  if (process.platform === 'linux') {
    const llvmpipe = LLVMPIPE.find((path) => existsSync(path));
    const swiftshader = swiftShaderFiles().find((path) => existsSync(path));
    if (llvmpipe) candidates.push({ name: 'llvmpipe', icd: llvmpipe });
    if (swiftshader) candidates.push({ name: 'swiftshader', icd: swiftshader });
  } else {
    candidates.push({ name: 'native' });
  }
  const usable: TestAdapter[] = [];
  for (const adapter of candidates) {
    if (wanted && !wanted.includes(adapter.name)) continue;
    if (await works(adapter)) usable.push(adapter);
  }
  if (usable.length === 0) {
    const tried =
      candidates.map((adapter) => `${adapter.name} (${adapter.icd ?? 'this machine'})`).join(', ') || 'none';
    throw new Error(`No WebGPU adapter works in Node here. Tried: ${tried}. Software adapters need libvulkan1 and \
Chromium's SwiftShader, or Mesa 25's llvmpipe (package mesa-vulkan-drivers).`);
  }
  return usable;
}

/** The adapter of this test process: the one `TINYTHINK_ADAPTERS` names, as vite.config.ts sets it, or the best here. */
export async function testAdapter(): Promise<TestAdapter> {
  return (await adapters())[0]!;
}
