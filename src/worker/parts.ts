/** @file The engine that the worker hosts: everything here runs on a GPU device of its own. */
import { openModel } from '../formats/open-model';
import { Gpu } from '../gpu/gpu';
import { GrpoSession } from '../rl/grpo-session';
import { planRun } from '../rl/plan';
import { LargePolicy } from '../runs/large-policy';
import { LocalPolicy } from '../runs/local-policy';
import type { EngineParts } from './host';

export const engineParts: EngineParts = {
  gpu: navigator.gpu,
  createSession: (config, folder) => withGpu((gpu) => GrpoSession.create(gpu, config, folder)),
  createPolicy: (folder) => withGpu((gpu) => LocalPolicy.create(gpu, folder)),
  openModel,
  createLargePolicy: (opened, options, onProgress, signal) =>
    withGpu((gpu) => LargePolicy.create(gpu, opened, options, onProgress, signal)),
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
