/** @file Opens the GPU in Node, through Dawn. */
import { messageOf } from '../base/errors';
import { create, globals } from 'webgpu';
import { Gpu } from '../gpu/gpu';

/** Dawn frees an instance with its JavaScript object, and everything made from it. */
let instance: GPU | undefined;

/** @throws GpuUnavailableError with what to do when Dawn finds no adapter */
export async function openGpu(): Promise<Gpu> {
  Object.assign(globalThis, globals);
  instance ??= create([
    // NVIDIA's Vulkan driver computes f16 well, but Dawn keeps it behind a toggle there; matrix units it offers only among
    // its experimental features.
    'enable-dawn-features=vulkan_enable_f16_on_nvidia,allow_unsafe_apis',
    // Against attackers, Dawn rounds timestamps to 65.5 µs: longer than most kernels here take.
    'disable-dawn-features=timestamp_quantization',
  ]);
  try {
    return await Gpu.request(instance);
  } catch (error) {
    const hint =
      'On Linux, Dawn needs a Vulkan driver (libvulkan1 and, for a machine without a GPU, Mesa 25 or Chromium’s SwiftShader through VK_ICD_FILENAMES).';
    throw new Error(`${messageOf(error)} ${hint}`, { cause: error });
  }
}
