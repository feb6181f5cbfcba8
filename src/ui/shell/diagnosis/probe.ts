/** @file Finds out whether this page can use a GPU, by requesting one. */
import { messageOf } from '../../../base/errors';
import type { GpuFailure } from './diagnose';

/** Null if the GPU works, otherwise how far it got. Never throws. */
export async function probeGpu(gpu: GPU | undefined): Promise<GpuFailure | null> {
  if (!gpu) return { kind: 'no-api' };
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter();
  } catch {
    // Chrome rejects where the specification says null when its GPU process can't be started.
    adapter = null;
  }
  if (!adapter) return { kind: 'no-adapter' };
  try {
    (await adapter.requestDevice()).destroy();
    return null;
  } catch (error) {
    return { kind: 'no-device', message: messageOf(error) };
  }
}
