/** @file SwiGLU's activation. */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { grid, type Recorder } from '../../gpu/recorder';

export class Swiglu {
  private constructor(
    private readonly size: number,
    private readonly activate: Kernel,
    private readonly gradient: Kernel,
  ) {}

  /** @param size the intermediate size */
  static async create(gpu: Gpu, size: number): Promise<Swiglu> {
    const constants = { SIZE: size };
    const [activate, gradient] = await Promise.all([
      gpu.kernel('train/layers/swiglu', { constants }),
      gpu.kernel('train/layers/swiglu_backward', { constants }),
    ]);
    return new Swiglu(size, activate, gradient);
  }

  /** out [rows, size] = silu(gate) * up, from gateUp [rows, 2 size]. */
  forward(recorder: Recorder, gateUp: Tensor, out: Tensor, rows: number): void {
    recorder.dispatch(this.activate, [gateUp, out], [rows], grid(Math.ceil((rows * this.size) / 256)));
  }

  /** Overwrites dGateUp [rows, 2 size]. */
  backward(recorder: Recorder, gateUp: Tensor, dOut: Tensor, dGateUp: Tensor, rows: number): void {
    recorder.dispatch(this.gradient, [gateUp, dOut, dGateUp], [rows], grid(Math.ceil((rows * this.size) / 256)));
  }
}
