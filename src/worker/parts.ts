/** @file The engine that the worker hosts: everything here runs on a GPU device of its own. */
import { Gpu } from '../gpu/gpu';
import { GrpoSession } from '../rl/grpo-session';
import { planRun } from '../rl/plan';
import { LocalPolicy } from '../runs/local-policy';
import type { EngineParts } from './host';

export const engineParts: EngineParts = {
  gpu: navigator.gpu,
  createSession: (config, folder) => withGpu((gpu) => GrpoSession.create(gpu, config, folder)),
  createPolicy: (folder) => withGpu((gpu) => LocalPolicy.create(gpu, folder)),
  // Large models bring code that the page's first seconds need not wait for.
  openModel: async (files, signal) => (await import('../formats/open-model')).openModel(files, signal),
  createLargePolicy: async (opened, options, onProgress, signal) => {
    const { LargePolicy } = await import('../runs/large-policy');
    return withGpu((gpu) => LargePolicy.create(gpu, opened, options, onProgress, signal));
  },
  planMemory: async (config, model) => {
    const gpu = await Gpu.request(navigator.gpu);
    try {
      return planRun(gpu, model, config).bytes;
    } finally {
      gpu.destroy();
    }
  },
};

/** Opens a device for what is made on it, and gives it back if that fails. */
async function withGpu<T>(make: (gpu: Gpu) => Promise<T>): Promise<T> {
  const gpu = await Gpu.request(navigator.gpu);
  try {
    return await make(gpu);
  } catch (error) {
    gpu.destroy();
    throw error;
  }
}
