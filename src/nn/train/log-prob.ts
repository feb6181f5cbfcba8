/** @file Log-probabilities of targets under softmax(logits / temperature), entropies, and the gradient by the logits. */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { f32, grid, type Recorder } from '../../gpu/recorder';

export class LogProb {
  private constructor(
    private readonly vocab: number,
    private readonly rowsPerGroup: number,
    private readonly measure: Kernel,
    private readonly gradient: Kernel,
  ) {}

  static async create(gpu: Gpu, vocab: number): Promise<LogProb> {
    const lanes = vocab >= 512 ? 64 : 16;
    const [measure, gradient] = await Promise.all([
      gpu.kernel('train/loss/log_prob', { constants: { VOCAB: vocab, LANES: lanes } }),
      gpu.kernel('train/loss/log_prob_backward', { constants: { VOCAB: vocab } }),
    ]);
    return new LogProb(vocab, 64 / lanes, measure, gradient);
  }

  /**
   * @param logits [rows, vocab]
   * @param targets [rows] u32
   * @param span.offset where the rows begin in `logp` and `entropy`
   * @param lse [rows], kept for the backward
   */
  forward(
    recorder: Recorder,
    { logits, targets, logp, entropy, lse }: Record<'logits' | 'targets' | 'logp' | 'entropy' | 'lse', Tensor>,
    { rows, offset, temperature }: { rows: number; offset: number; temperature: number },
  ): void {
    const params = [rows, offset, f32(1 / temperature)];
    const groups = grid(Math.ceil(rows / this.rowsPerGroup));
    recorder.dispatch(this.measure, [logits, targets, logp, entropy, lse], params, groups);
  }

  /**
   * Overwrites the logits by their gradient.
   * @param span.scale multiplies the gradient
   */
  backward(
    recorder: Recorder,
    { logits, targets, lse, dLogp }: Record<'logits' | 'targets' | 'lse' | 'dLogp', Tensor>,
    { rows, offset, temperature, scale = 1 }: { rows: number; offset: number; temperature: number; scale?: number },
  ): void {
    const params = [rows, offset, f32(1 / temperature), f32(scale)];
    recorder.dispatch(this.gradient, [logits, targets, lse, dLogp], params, grid(Math.ceil((rows * this.vocab) / 256)));
  }
}
