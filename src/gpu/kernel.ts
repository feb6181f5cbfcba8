/**
 * @file A compute pipeline made from `shaders/<name>.wesl`. Sizes are passed as WESL constants, so that loops unroll and
 * arrays have fixed lengths; types and features are passed as WESL conditions. Linking takes 1 to 6 ms and is done once
 * for each set of options.
 */
import { link } from 'wesl';
import { shaderSources } from './shader-library';

export interface KernelOptions {
  /** Values for `import constants::NAME;`. Whole numbers become u32-compatible literals, others f32. */
  constants?: Record<string, number>;
  conditions?: Record<string, boolean>;
  entryPoint?: string;
}

let nextKernelId = 1;

export class Kernel {
  /** Short unique key for the bind-group cache. */
  readonly key = `k${nextKernelId++}`;

  private constructor(
    /** The shader's file name, for labels and timings. */
    readonly name: string,
    readonly pipeline: GPUComputePipeline,
    readonly layout: GPUBindGroupLayout,
    /** Whether binding 0 is the uniform struct `Params`. */
    readonly hasParams: boolean,
    readonly storageBindings: number,
  ) {}

  /**
   * @param path of the shader in `shaders/`, without its extension: `train/layers/rope`
   * @throws GPUPipelineError when the shader doesn't compile
   */
  static async compile(device: GPUDevice, path: string, options: KernelOptions): Promise<Kernel> {
    const code = await linkShader(path, options);
    const name = path.slice(path.lastIndexOf('/') + 1);
    const module = device.createShaderModule({ label: name, code });
    const entryPoint = options.entryPoint ?? 'main';
    const entries = reflectBindings(code).map(({ binding, type }) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type, hasDynamicOffset: type === 'uniform' },
    }));
    const layout = device.createBindGroupLayout({ label: name, entries });
    const pipeline = await device.createComputePipelineAsync({
      label: name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint },
    });
    const hasParams = entries.some((entry) => entry.binding === 0);
    return new Kernel(name, pipeline, layout, hasParams, entries.length - (hasParams ? 1 : 0));
  }
}

/** The WGSL of `shaders/<path>.wesl` for one set of options. */
export async function linkShader(path: string, options: KernelOptions): Promise<string> {
  const constants: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(options.constants ?? {})) {
    constants[key] = Number.isInteger(value) ? value : value.toExponential(9);
  }
  const linked = await link({
    weslSrc: await shaderSources(path),
    rootModuleName: `./${path}.wesl`,
    constants,
    conditions: options.conditions ?? {},
    keepComments: false,
    sourceMap: false,
  });
  return linked.dest.replace(STAND_INS, '');
}

/** Declarations in shaders/infer/product/subgroup_matrix.wesl that satisfy WESL's linker and must not reach WebGPU. */
const STAND_INS =
  /^\s*(struct subgroup_matrix_\w+ \{[^}]*\}|fn subgroupMatrix\w+\(\) \{\s*\}|const (row|col)_major = \du;)\s*$/gm;

/** The bindings that a linked shader declares in group 0. */
function reflectBindings(code: string): { binding: number; type: GPUBufferBindingType }[] {
  const pattern = /@group\(0\)\s*@binding\((\d+)\)\s*var<(uniform|storage)(?:,\s*(read_write|read))?>/g;
  return [...code.matchAll(pattern)].map(([, binding, space, access]) => ({
    binding: Number(binding),
    type: space === 'uniform' ? 'uniform' : access === 'read_write' ? 'storage' : 'read-only-storage',
  }));
}
