/** @file What GPU there is here, found out by asking for a device and giving it back. */
import { messageOf } from '../base/errors';
import { gpuName, isSoftwareGpu } from '../gpu/gpu-name';
export interface GpuProbe {
  available: true;
  vendor: string;
  architecture: string;
  description: string;
  /** Emulated on the CPU (SwiftShader, llvmpipe, WARP): works, with small batches. */
  software: boolean;
  features: string[];
  /** The limits that bound a run, in bytes or counts. */
  limits: Record<ProbedLimit, number>;
}
/** Why there is no GPU, and how far the search for one got. */
export interface GpuMissing {
  available: false;
  stage: 'no-api' | 'no-adapter' | 'no-device';
  message: string;
}
export type ProbeResult = GpuProbe | GpuMissing;

const probedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
] as const;
export type ProbedLimit = (typeof probedLimits)[number];

/** Never throws: what stands in the way is in the result. */
export async function probe(gpu: GPU | undefined): Promise<ProbeResult> {
  if (!gpu) return { available: false, stage: 'no-api', message: 'This browser has no WebGPU in workers.' };
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  } catch (error) {
    return { available: false, stage: 'no-adapter', message: messageOf(error) };
  }
  if (!adapter) {
    return { available: false, stage: 'no-adapter', message: 'WebGPU is here, but it offers no adapter.' };
  }
  try {
    (await adapter.requestDevice()).destroy();
  } catch (error) {
    return { available: false, stage: 'no-device', message: messageOf(error) };
  }
  const { vendor, architecture, description } = adapter.info;
  return {
    available: true,
    vendor,
    architecture,
    description,
    software: isSoftwareGpu(architecture, description),
    features: [...adapter.features].sort(),
    limits: Object.fromEntries(probedLimits.map((name) => [name, adapter.limits[name]])) as Record<ProbedLimit, number>,
  };
}

/** One line for people: what computes here. */
export function describeProbe(result: ProbeResult): string {
  if (!result.available) return 'no GPU';
  return gpuName(result);
}
