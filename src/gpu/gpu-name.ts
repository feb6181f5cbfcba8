/** @file A GPU's name for people, and whether it is emulated. */

/** A vendor and nothing but versions: how Dawn describes an adapter on Linux is the driver, and not the GPU. */
const DRIVER = /^([A-Za-z][\w ()-]*?):?(?:\s+\d+(?:\.\d+)+)+$/;

/** From what an adapter says about itself; `unnamed GPU` where it says nothing. */
export function gpuName(info: { vendor: string; architecture: string; description: string }): string {
  const driver = DRIVER.exec(info.description);
  if (info.description !== '' && !driver) return info.description;
  return [driver?.[1] ?? info.vendor, info.architecture].filter(Boolean).join(' ') || 'unnamed GPU';
}

/** Whether a GPU is emulated on the CPU, by its architecture and description: works, with small batches. */
export const isSoftwareGpu = (architecture: string, description: string): boolean =>
  /swiftshader|llvmpipe|warp|basic render/i.test(`${architecture} ${description}`);
