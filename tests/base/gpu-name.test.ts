/** @file A GPU is named, and not its driver. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { gpuName } from '../../src/gpu/gpu-name';

it.each([
  ['nvidia', 'hopper', 'NVIDIA: 580.159.04 580.159.4.0', 'NVIDIA hopper'],
  ['nvidia', '', 'NVIDIA: 580.159.04 580.159.4.0', 'NVIDIA'],
  ['intel', 'gen-12lp', 'Intel 23.2.1', 'Intel gen-12lp'],
  ['amd', 'rdna-3', '', 'amd rdna-3'],
  ['', '', '', 'unnamed GPU'],
  ['nvidia', 'hopper', 'NVIDIA H200', 'NVIDIA H200'],
  ['apple', 'metal-3', 'Apple M2', 'Apple M2'],
  ['mesa', '', 'llvmpipe (LLVM 15.0.7, 256 bits)', 'llvmpipe (LLVM 15.0.7, 256 bits)'],
])('%s, %s, %j is %s', (vendor, architecture, description, name) =>
  expect(gpuName({ vendor, architecture, description })).toBe(name),
);

it.each(['sums-grow', 'sums-trl'])('the recording %s names its GPU', (name) => {
  const [first] = gunzipSync(readFileSync(`public/recordings/${name}.jsonl.gz`))
    .toString()
    .split('\n', 1);
  const { device } = JSON.parse(first!) as { device: { description: string } };
  expect(device.description).toMatch(/NVIDIA H200$/);
});
