/** @file Tensors: ranges of GPU buffers, which kernels bind. */

/** A range of a GPU buffer. Bind groups are cached by `id`, which is unique. */
export interface Tensor {
  readonly id: number;
  readonly label: string;
  readonly buffer: GPUBuffer;
  /** In bytes. A multiple of 256, WebGPU's alignment for bindings, unless the tensor is only copied. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** Byte offsets of bindings must be multiples of this (WebGPU's default minStorageBufferOffsetAlignment). */
export const BINDING_ALIGNMENT = 256;

export const alignUp = (n: number, to: number = BINDING_ALIGNMENT): number => Math.ceil(n / to) * to;

let nextTensorId = 1;
export const newTensorId = (): number => nextTensorId++;

/**
 * A view of `size` bytes at `offset` bytes into a tensor, to bind or to copy.
 * @throws RangeError when it reaches beyond the tensor
 */
export function slice(tensor: Tensor, offset: number, size: number): Tensor {
  if (offset < 0 || offset + size > tensor.size) {
    throw new RangeError(`slice ${offset}+${size} is outside ${tensor.label} of ${tensor.size} bytes`);
  }
  return { id: newTensorId(), label: tensor.label, buffer: tensor.buffer, offset: tensor.offset + offset, size };
}
