/**
 * @file A WebGPU device: its features and limits, buffers and their total size, compiled kernels, and errors, including the
 * loss of the device. Knows nothing about models.
 */
import { gpuName, isSoftwareGpu } from './gpu-name';
import { Kernel, type KernelOptions } from './kernel';
import { Recorder, type RecorderHost } from './recorder';
import { alignUp, BINDING_ALIGNMENT, newTensorId, type Tensor } from './tensor';

export { alignUp, slice, type Tensor } from './tensor';

export interface GpuFeatures {
  f16: boolean;
  subgroups: boolean;
  timestamps: boolean;
  /** Matrix units that multiply 16×16 matrices of f16 and sum in f32, for subgroups of 32. Experimental in Dawn. */
  subgroupMatrix: boolean;
}

/** Experimental, so @webgpu/types doesn't know it. */
const SUBGROUP_MATRIX = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;
interface SubgroupMatrixConfig {
  componentType: string;
  resultComponentType: string;
  M: number;
  N: number;
  K: number;
}

function hasSubgroupMatrix({ info }: GPUAdapter): boolean {
  const { subgroupMatrixConfigs = [] } = info as { subgroupMatrixConfigs?: Iterable<SubgroupMatrixConfig> };
  const offered = [...subgroupMatrixConfigs].some(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === 'f16' && resultComponentType === 'f32' && M === 16 && N === 16 && K === 16,
  );
  return offered && info.subgroupMinSize === 32 && info.subgroupMaxSize === 32;
}

/** The properties of a GPU by which workgroup sizes are chosen. */
export interface GpuTraits {
  readonly isSoftware: boolean;
  readonly device: { readonly limits: Pick<GPUSupportedLimits, 'maxComputeWorkgroupStorageSize'> };
}

export class GpuUnavailableError extends Error {
  override readonly name = 'GpuUnavailableError';
}

export class OutOfMemoryError extends Error {
  override readonly name = 'OutOfMemoryError';
}

export class Gpu implements RecorderHost {
  /** Total bytes of the buffers that are allocated at the moment. */
  allocated = 0;
  /** Resolves with the reason when the device is lost: a crash, a driver reset or `destroy`. */
  readonly lost: Promise<string>;
  readonly uniforms: GPUBuffer;
  private readonly kernels = new Map<string, Promise<Kernel>>();
  private readonly bindGroups = new Map<string, GPUBindGroup>();
  private readonly stagingPool: GPUBuffer[] = [];
  private firstError: string | null = null;

  private constructor(
    readonly device: GPUDevice,
    readonly info: { vendor: string; architecture: string; description: string },
    readonly features: GpuFeatures,
  ) {
    this.lost = device.lost.then((loss) => loss.message || loss.reason || 'the GPU device was lost');
    device.onuncapturederror = (event) => {
      this.firstError ??= event.error.message;
    };
    this.uniforms = device.createBuffer({
      label: 'uniform arena',
      size: Recorder.ARENA_SLOTS * BINDING_ALIGNMENT,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
  }

  /**
   * Opens the fastest adapter with the largest limits that it offers.
   * @param options.without features to leave off, as if the adapter didn't have them
   * @throws GpuUnavailableError with the reason when there is no adapter
   */
  static async request(gpu: GPU | undefined, options: { without?: (keyof GpuFeatures)[] } = {}): Promise<Gpu> {
    if (!gpu) throw new GpuUnavailableError('This browser has no WebGPU (navigator.gpu is missing).');
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) throw new GpuUnavailableError('This browser has WebGPU, but it offers no adapter.');
    const offers = (feature: GPUFeatureName, key: keyof GpuFeatures) =>
      adapter.features.has(feature) && !options.without?.includes(key);
    const features = {
      f16: offers('shader-f16', 'f16'),
      subgroups: offers('subgroups', 'subgroups'),
      timestamps: offers('timestamp-query', 'timestamps'),
      subgroupMatrix: offers(SUBGROUP_MATRIX, 'subgroupMatrix') && hasSubgroupMatrix(adapter),
    };
    const requiredFeatures: GPUFeatureName[] = [];
    if (features.f16) requiredFeatures.push('shader-f16');
    if (features.subgroups) requiredFeatures.push('subgroups');
    if (features.timestamps) requiredFeatures.push('timestamp-query');
    if (features.subgroupMatrix) requiredFeatures.push(SUBGROUP_MATRIX);
    const limits = adapter.limits;
    const device = await adapter.requestDevice({
      requiredFeatures,
      requiredLimits: {
        maxBufferSize: limits.maxBufferSize,
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
        maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
        maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
        maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      },
    });
    const { vendor, architecture, description } = adapter.info;
    return new Gpu(device, { vendor, architecture, description }, features);
  }

  /** The GPU's name, for display. */
  get description(): string {
    return gpuName(this.info);
  }

  /** Whether the GPU is emulated on the CPU (SwiftShader, llvmpipe, WARP), which calls for small batches. */
  get isSoftware(): boolean {
    return isSoftwareGpu(this.info.architecture, this.info.description);
  }

  /**
   * Allocates a buffer of at least `bytes` (a multiple of 16), filled with zeros.
   * @throws OutOfMemoryError when the GPU can't bind a buffer of that size
   */
  alloc(label: string, bytes: number, usage: GPUBufferUsageFlags = 0): Tensor {
    const size = Math.max(16, alignUp(bytes, 16));
    const { maxBufferSize, maxStorageBufferBindingSize } = this.device.limits;
    if (size > maxBufferSize || size > maxStorageBufferBindingSize) {
      throw new OutOfMemoryError(
        `${label} needs a buffer of ${size} bytes; this GPU binds at most ${Math.min(maxBufferSize, maxStorageBufferBindingSize)}. Choose a smaller model or batch.`,
      );
    }
    const buffer = this.device.createBuffer({
      label,
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC | usage,
    });
    this.allocated += size;
    return { id: newTensorId(), label, buffer, offset: 0, size };
  }

  /**
   * Runs `allocate` and waits for the GPU to confirm it.
   * @throws OutOfMemoryError when the GPU has too little memory; whatever `allocate` throws
   */
  async allocating<T>(allocate: () => T): Promise<T> {
    this.device.pushErrorScope('out-of-memory');
    let result: T;
    try {
      result = allocate();
    } catch (error) {
      void this.device.popErrorScope();
      throw error;
    }
    const error = await this.device.popErrorScope();
    if (error) throw new OutOfMemoryError(`The GPU ran out of memory: ${error.message}`);
    return result;
  }

  free(...tensors: Tensor[]): void {
    for (const { buffer } of tensors) {
      this.allocated -= buffer.size;
      buffer.destroy();
    }
    this.bindGroups.clear();
  }

  write(tensor: Tensor, data: ArrayBufferView, byteOffset = 0): void {
    if (byteOffset + data.byteLength > tensor.size) {
      throw new RangeError(`${tensor.label} holds ${tensor.size} bytes; ${byteOffset + data.byteLength} were written`);
    }
    this.device.queue.writeBuffer(
      tensor.buffer,
      tensor.offset + byteOffset,
      data.buffer as ArrayBuffer,
      data.byteOffset,
      data.byteLength,
    );
  }

  /** The kernel `shaders/<path>.wesl` for these constants and conditions. Compiled on first use and kept. */
  kernel(path: string, options: KernelOptions = {}): Promise<Kernel> {
    const key = JSON.stringify([path, options]);
    let kernel = this.kernels.get(key);
    if (!kernel) this.kernels.set(key, (kernel = Kernel.compile(this.device, path, options)));
    return kernel;
  }

  recorder(options: { profile?: 'phase' | 'kernel' } = {}): Recorder {
    return new Recorder(this, options.profile && this.features.timestamps ? options.profile : null);
  }

  /** Reads one tensor. To read several at once, or after other work, use `Recorder.read`. */
  async read(tensor: Tensor, bytes: number = tensor.size): Promise<ArrayBuffer> {
    const recorder = this.recorder();
    const data = recorder.read(tensor, bytes);
    recorder.submit();
    return data;
  }

  bindGroup(kernel: Kernel, bindings: readonly Tensor[]): GPUBindGroup {
    let key = kernel.key;
    for (const tensor of bindings) key += `,${tensor.id}`;
    let group = this.bindGroups.get(key);
    if (!group) {
      const entries: GPUBindGroupEntry[] = bindings.map((tensor, i) => ({
        binding: i + 1,
        resource: { buffer: tensor.buffer, offset: tensor.offset, size: tensor.size },
      }));
      if (kernel.hasParams) {
        entries.push({ binding: 0, resource: { buffer: this.uniforms, offset: 0, size: BINDING_ALIGNMENT } });
      }
      group = this.device.createBindGroup({ label: kernel.name, layout: kernel.layout, entries });
      this.bindGroups.set(key, group);
    }
    return group;
  }

  staging(bytes: number): GPUBuffer {
    const index = this.stagingPool.findIndex((buffer) => buffer.size >= bytes && buffer.size <= 4 * bytes + 4096);
    if (index >= 0) return this.stagingPool.splice(index, 1)[0]!;
    return this.device.createBuffer({
      label: 'staging',
      size: alignUp(bytes),
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }

  recycle(buffer: GPUBuffer): void {
    if (this.stagingPool.length < 16) this.stagingPool.push(buffer);
    else buffer.destroy();
  }

  /** @throws Error with the first error that WebGPU reported since the device was opened: always a defect in this code */
  throwIfFailed(): void {
    if (this.firstError !== null) throw new Error(`WebGPU reported: ${this.firstError}`);
  }

  destroy(): void {
    this.device.destroy();
  }
}
