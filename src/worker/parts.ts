/**
 * @file The engine that the worker hosts. Of it, only the probe and the loading of models are part of this build yet:
 * sessions and policies say so until src/rl/grpo-session.ts and src/model/local-policy.ts are imported here.
 */
import type { EngineParts } from './host';

const missing = (what: string) => new Error(`This build of the app has no ${what} yet.`);

export const engineParts: EngineParts = {
  gpu: navigator.gpu,
  createSession: () => Promise.reject(missing('training engine')),
  createPolicy: () => Promise.reject(missing('local generation')),
  planMemory: () => {
    throw missing('memory plan');
  },
};
