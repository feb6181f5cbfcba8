/** @file What GPU there is here, found out by asking for a device and giving it back. */
import { probedLimits } from './protocol';
import type { ProbedLimit, ProbeResult } from './protocol';

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
    software: /swiftshader|llvmpipe|warp|basic render/i.test(`${architecture} ${description}`),
    features: [...adapter.features].sort(),
    limits: Object.fromEntries(probedLimits.map((name) => [name, adapter.limits[name]])) as Record<ProbedLimit, number>,
  };
}

/** One line for people: what computes here. */
export function describeProbe(result: ProbeResult): string {
  if (!result.available) return 'no GPU';
  const { vendor, architecture, description } = result;
  return description || [vendor, architecture].filter(Boolean).join(' ') || 'unnamed GPU';
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
