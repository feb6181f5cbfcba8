/** @file Opens the engine's `Gpu` in Node for tests, on the adapter of this test process (see adapter.ts). */
import { Gpu, type GpuFeatures } from '../../src/gpu/gpu';
import { openGpu, testAdapter } from './adapter';

const instance = openGpu(await testAdapter());

export const openTestGpu = (options: { without?: (keyof GpuFeatures)[] } = {}): Promise<Gpu> =>
  Gpu.request(instance, options);
