/** @file Opens Dawn in Node for tests, on whichever adapter the environment's VK_ICD_FILENAMES names. */
import { create, globals } from 'webgpu';
import { Gpu, type GpuFeatures } from '../../src/gpu/gpu';

Object.assign(globalThis, globals);
// The instance must outlive every device made from it, or Dawn crashes.
const instance = create([]);

export const openTestGpu = (options: { without?: (keyof GpuFeatures)[] } = {}): Promise<Gpu> => Gpu.request(instance, options);
