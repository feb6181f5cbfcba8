/**
 * @file Records dispatches and copies, and submits them together. Each dispatch writes its scalars to a 256-byte slot of one
 * uniform buffer, which is bound with a dynamic offset: bind groups depend only on buffers, so that they can be reused.
 */
import type { Kernel } from './kernel';
import { BINDING_ALIGNMENT, type Tensor } from './tensor';

/** A scalar in a kernel's `Params` struct. Plain numbers are written as u32; `f32(x)` marks a float. */
export type Param = number | { f32: number };
export const f32 = (value: number): Param => ({ f32: value });

export type Grid = readonly [x: number, y?: number, z?: number];

/**
 * A dispatch of at least `n` workgroups. Beyond 65,535, WebGPU's limit in one dimension, it also extends in y: kernels
 * compute their workgroup's number as `x + y * groups.x`.
 */
export function grid(n: number): Grid {
  return n <= 65535 ? [n] : [65535, Math.ceil(n / 65535)];
}

const SLOT_WORDS = BINDING_ALIGNMENT / 4;

interface PendingRead {
  staging: GPUBuffer;
  bytes: number;
  resolve(data: ArrayBuffer): void;
  reject(error: unknown): void;
}

/** What a recorder uses of the GPU that it records for; `Gpu` has all of it. */
export interface RecorderHost {
  readonly device: GPUDevice;
  /** `Recorder.ARENA_SLOTS` slots of 256 bytes for kernels' parameters. */
  readonly uniforms: GPUBuffer;
  bindGroup(kernel: Kernel, bindings: readonly Tensor[]): GPUBindGroup;
  /** A buffer of at least so many bytes that can be mapped for reading. */
  staging(bytes: number): GPUBuffer;
  /** Takes a staging buffer back for reuse. */
  recycle(buffer: GPUBuffer): void;
  throwIfFailed(): void;
}

export class Recorder {
  static readonly ARENA_SLOTS = 4096;
  private static readonly MAX_PASSES = 2000;

  /** Number of dispatches recorded so far. */
  dispatches = 0;
  private encoder: GPUCommandEncoder;
  private pass: GPUComputePassEncoder | null = null;
  private slots = 0;
  /** Grows as needed: most recordings are short, and a megabyte for each would keep the garbage collector busy. */
  private u32 = new Uint32Array(64 * SLOT_WORDS);
  private floats = new Float32Array(this.u32.buffer);
  private reads: PendingRead[] = [];
  private phaseName = 'other';
  private passNames: string[] = [];
  private querySet: GPUQuerySet | null = null;
  private readonly totals: Record<string, number> = {};
  private readonly counts: Record<string, number> = {};
  private timing: Promise<void>[] = [];

  constructor(
    private readonly gpu: RecorderHost,
    private readonly profile: 'phase' | 'kernel' | null,
  ) {
    this.encoder = gpu.device.createCommandEncoder();
  }

  /** Sets the phase under which the following dispatches are timed. */
  phase(name: string): void {
    if (this.profile === 'phase' && name !== this.phaseName) this.endPass();
    this.phaseName = name;
  }

  dispatch(kernel: Kernel, bindings: readonly Tensor[], params: readonly Param[], groups: Grid): void {
    if (groups[0] === 0 || groups[1] === 0 || groups[2] === 0) return;
    this.prepare(kernel, bindings, params).dispatchWorkgroups(groups[0], groups[1] ?? 1, groups[2] ?? 1);
  }

  /** @param indirect begins with the numbers of workgroups in x, y and z as u32 */
  dispatchIndirect(kernel: Kernel, bindings: readonly Tensor[], params: readonly Param[], indirect: Tensor): void {
    this.prepare(kernel, bindings, params).dispatchWorkgroupsIndirect(indirect.buffer, indirect.offset);
  }

  copy(from: Tensor, to: Tensor, bytes: number = from.size): void {
    this.endPass();
    this.encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, bytes);
  }

  clear(tensor: Tensor, bytes: number = tensor.size): void {
    this.endPass();
    this.encoder.clearBuffer(tensor.buffer, tensor.offset, bytes);
  }

  /** Reads the tensor's bytes as they are at this point of the recording. Resolves after `submit`. */
  read(tensor: Tensor, bytes: number = tensor.size): Promise<ArrayBuffer> {
    this.endPass();
    const staging = this.gpu.staging(bytes);
    this.encoder.copyBufferToBuffer(tensor.buffer, tensor.offset, staging, 0, bytes);
    return new Promise((resolve, reject) => this.reads.push({ staging, bytes, resolve, reject }));
  }

  /** Submits everything recorded so far. The recorder can be used again afterwards. */
  submit(): void {
    this.endPass();
    const { device } = this.gpu;
    const resolveTimes = this.resolveQueries();
    if (this.slots > 0) device.queue.writeBuffer(this.gpu.uniforms, 0, this.u32, 0, this.slots * SLOT_WORDS);
    device.queue.submit([this.encoder.finish()]);
    for (const read of this.reads) void this.finishRead(read);
    if (resolveTimes) this.timing.push(resolveTimes());
    this.reads = [];
    this.slots = 0;
    this.encoder = device.createCommandEncoder();
  }

  /** GPU milliseconds and numbers of dispatches of everything submitted, by phase or by phase and kernel. */
  async timings(): Promise<{ milliseconds: Record<string, number>; dispatches: Record<string, number> }> {
    await Promise.all(this.timing);
    return { milliseconds: this.totals, dispatches: this.counts };
  }

  private prepare(kernel: Kernel, bindings: readonly Tensor[], params: readonly Param[]): GPUComputePassEncoder {
    if (bindings.length !== kernel.storageBindings) {
      throw new Error(`${kernel.name} takes ${kernel.storageBindings} buffers, ${bindings.length} were given`);
    }
    if (this.slots === Recorder.ARENA_SLOTS) this.submit();
    const key = this.profile === 'kernel' ? `${this.phaseName}/${kernel.name}` : this.phaseName;
    this.counts[key] = (this.counts[key] ?? 0) + 1;
    const pass = this.beginPass(key);
    pass.setPipeline(kernel.pipeline);
    const group = this.gpu.bindGroup(kernel, bindings);
    if (kernel.hasParams) {
      const word = this.slots * SLOT_WORDS;
      if (word === this.u32.length) this.grow();
      for (let i = 0; i < params.length; i++) {
        const value = params[i]!;
        if (typeof value === 'number') this.u32[word + i] = value;
        else this.floats[word + i] = value.f32;
      }
      pass.setBindGroup(0, group, [this.slots * BINDING_ALIGNMENT]);
      this.slots++;
    } else {
      pass.setBindGroup(0, group);
    }
    this.dispatches++;
    return pass;
  }

  private grow(): void {
    const larger = new Uint32Array(2 * this.u32.length);
    larger.set(this.u32);
    this.u32 = larger;
    this.floats = new Float32Array(larger.buffer);
  }

  private beginPass(key: string): GPUComputePassEncoder {
    if (this.profile === 'kernel') this.endPass();
    if (this.pass) return this.pass;
    if (!this.profile) return (this.pass = this.encoder.beginComputePass());
    if (this.passNames.length === Recorder.MAX_PASSES) this.submit();
    this.querySet ??= this.gpu.device.createQuerySet({ type: 'timestamp', count: 2 * Recorder.MAX_PASSES });
    const i = 2 * this.passNames.push(key) - 2;
    this.pass = this.encoder.beginComputePass({
      timestampWrites: { querySet: this.querySet, beginningOfPassWriteIndex: i, endOfPassWriteIndex: i + 1 },
    });
    return this.pass;
  }

  private endPass(): void {
    this.pass?.end();
    this.pass = null;
  }

  private async finishRead({ staging, bytes, resolve, reject }: PendingRead): Promise<void> {
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, bytes);
      const data = staging.getMappedRange(0, bytes).slice(0);
      staging.unmap();
      this.gpu.recycle(staging);
      this.gpu.throwIfFailed();
      resolve(data);
    } catch (error) {
      reject(error);
    }
  }

  private resolveQueries(): (() => Promise<void>) | null {
    const names = this.passNames;
    if (names.length === 0) return null;
    this.passNames = [];
    const bytes = names.length * 16;
    const { device } = this.gpu;
    const resolved = device.createBuffer({
      size: bytes,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    this.encoder.resolveQuerySet(this.querySet!, 0, names.length * 2, resolved, 0);
    const staging = this.gpu.staging(bytes);
    this.encoder.copyBufferToBuffer(resolved, 0, staging, 0, bytes);
    return async () => {
      await staging.mapAsync(GPUMapMode.READ, 0, bytes);
      const times = new BigUint64Array(staging.getMappedRange(0, bytes).slice(0));
      staging.unmap();
      this.gpu.recycle(staging);
      resolved.destroy();
      names.forEach((name, i) => {
        const milliseconds = Number(times[2 * i + 1]! - times[2 * i]!) / 1e6;
        this.totals[name] = (this.totals[name] ?? 0) + milliseconds;
      });
    };
  }
}
