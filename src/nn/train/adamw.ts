/** @file Global-norm clipping and AdamW over one flat buffer of parameters. */
import { alignUp, type Gpu, type Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { f32, grid, type Recorder } from '../../gpu/recorder';

export interface AdamwSettings {
  learning_rate: number;
  adam_beta1: number;
  adam_beta2: number;
  adam_epsilon: number;
  weight_decay: number;
  /** 0 = no clipping. */
  max_grad_norm: number;
}

const BLOCK = 4096;

export class Adamw {
  private constructor(
    private readonly count: number,
    private readonly squares: Kernel,
    private readonly root: Kernel,
    private readonly update: Kernel,
    /** [count, 2] f32, first and second moments. */
    readonly moments: Tensor,
    /** [1] f32, the norm before clipping. */
    readonly norm: Tensor,
    private readonly partial: Tensor,
    private readonly decays: Tensor,
  ) {}

  /**
   * @param count values in the flat parameter buffer
   * @param decays [count / 64] whether a block of 64 values decays
   */
  static async create(gpu: Gpu, count: number, decays: Uint32Array<ArrayBuffer>): Promise<Adamw> {
    const constants = { BLOCK };
    const [squares, root, update] = await Promise.all([
      gpu.kernel('train/optimizer/grad_norm', { constants, entryPoint: 'squares' }),
      gpu.kernel('train/optimizer/grad_norm', { constants, entryPoint: 'root' }),
      gpu.kernel('train/optimizer/adamw'),
    ]);
    const moments = gpu.alloc('adam moments', count * 8);
    const norm = gpu.alloc('gradient norm', 4);
    const partial = gpu.alloc('gradient norm parts', alignUp(Math.ceil(count / BLOCK) * 4));
    const decayBlocks = gpu.alloc('weight decay blocks', decays.byteLength);
    gpu.write(decayBlocks, decays);
    return new Adamw(count, squares, root, update, moments, norm, partial, decayBlocks);
  }

  /**
   * Clips and applies the gradients, and zeroes them. Leaves the parameters alone if the norm isn't finite.
   * @param step 1 for the first update
   */
  step(recorder: Recorder, params: Tensor, grads: Tensor, step: number, settings: AdamwSettings): void {
    const { count } = this;
    recorder.dispatch(this.squares, [grads, this.partial, this.norm], [count], [Math.ceil(count / BLOCK)]);
    recorder.dispatch(this.root, [grads, this.partial, this.norm], [count], [1]);
    recorder.dispatch(
      this.update,
      [params, grads, this.moments, this.norm, this.decays],
      [
        count,
        f32(settings.learning_rate),
        f32(settings.adam_beta1),
        f32(settings.adam_beta2),
        f32(settings.adam_epsilon),
        f32(settings.weight_decay),
        f32(1 / (1 - settings.adam_beta1 ** step)),
        f32(1 / Math.sqrt(1 - settings.adam_beta2 ** step)),
        f32(settings.max_grad_norm),
        f32(1 - settings.adam_beta1),
        f32(1 - settings.adam_beta2),
      ],
      grid(Math.ceil(count / 256)),
    );
  }

  buffers(): Tensor[] {
    return [this.moments, this.norm, this.partial, this.decays];
  }
}
