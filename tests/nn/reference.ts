/** @file The layers in float64, written from their definitions: what the kernels are checked against. */

type Numbers = ArrayLike<number>;

/** ‖out − ref‖ / ‖ref‖; infinite where the lengths differ or a value isn't finite. */
export function relativeError(out: Numbers, ref: Numbers): number {
  let error = 0;
  let norm = 0;
  for (let i = 0; i < ref.length; i++) {
    error += (out[i]! - ref[i]!) ** 2;
    norm += ref[i]! ** 2;
  }
  const result = Math.sqrt(error / Math.max(norm, Number.MIN_VALUE));
  return out.length === ref.length && Number.isFinite(result) ? result : Infinity;
}

/** y = x / √(mean(x²) + ε) · weight, row by row; rstd is the factor without the weight. */
export function rmsNorm(x: Numbers, weight: Numbers, epsilon: number) {
  const size = weight.length;
  const y = new Float64Array(x.length);
  const rstd = new Float64Array(x.length / size);
  for (let row = 0; row < rstd.length; row++) {
    let squares = 0;
    for (let i = 0; i < size; i++) squares += x[row * size + i]! ** 2;
    rstd[row] = 1 / Math.sqrt(squares / size + epsilon);
    for (let i = 0; i < size; i++) y[row * size + i] = x[row * size + i]! * rstd[row]! * weight[i]!;
  }
  return { y, rstd };
}

/** ∂/∂x_j Σ_i dy_i · w_i · x_i · rstd(x), and the same by w. */
export function rmsNormBackward(x: Numbers, weight: Numbers, dy: Numbers, epsilon: number) {
  const size = weight.length;
  const { rstd } = rmsNorm(x, weight, epsilon);
  const dx = new Float64Array(x.length);
  const dWeight = new Float64Array(size);
  rstd.forEach((scale, row) => {
    const at = row * size;
    let along = 0;
    for (let i = 0; i < size; i++) along += dy[at + i]! * weight[i]! * x[at + i]!;
    for (let i = 0; i < size; i++) {
      dx[at + i] = scale * weight[i]! * dy[at + i]! - (scale ** 3 * x[at + i]! * along) / size;
      dWeight[i]! += dy[at + i]! * x[at + i]! * scale;
    }
  });
  return { dx, dWeight };
}

/** One head turned by its position: (a, b) = (x[i], x[i + d/2]) as a complex number times e^(i · position · θ^(−2i/d)). */
export function rotate(head: Numbers, position: number, theta: number): Float64Array {
  const half = head.length / 2;
  const out = new Float64Array(head.length);
  for (let i = 0; i < half; i++) {
    const angle = position * theta ** (-i / half);
    const [a, b] = [head[i]!, head[i + half]!];
    out[i] = a * Math.cos(angle) - b * Math.sin(angle);
    out[i + half] = b * Math.cos(angle) + a * Math.sin(angle);
  }
  return out;
}

/** silu(gate) · up and its derivatives by gate and up. */
export function swiglu(gate: number, up: number): { value: number; byGate: number; byUp: number } {
  const sigmoid = 1 / (1 + Math.exp(-gate));
  const silu = gate * sigmoid;
  return { value: silu * up, byGate: up * (sigmoid + silu * (1 - sigmoid)), byUp: silu };
}

/** softmax(logits / temperature) of one row, the entropy, and log Σ exp. */
export function softmax(logits: Numbers, temperature: number) {
  const z = Array.from(logits, (logit) => logit / temperature);
  const top = z.reduce((a, b) => Math.max(a, b));
  const lse = top + Math.log(z.reduce((sum, value) => sum + Math.exp(value - top), 0));
  const p = z.map((value) => Math.exp(value - lse));
  return { lse, p, logp: z.map((value) => value - lse), entropy: lse - p.reduce((sum, q, i) => sum + q * z[i]!, 0) };
}

export interface AdamwState {
  weights: Float64Array;
  first: Float64Array;
  second: Float64Array;
}

export interface AdamwOptions {
  learning_rate: number;
  adam_beta1: number;
  adam_beta2: number;
  adam_epsilon: number;
  weight_decay: number;
  max_grad_norm: number;
}

/** torch.nn.utils.clip_grad_norm_, then torch.optim.AdamW, in place. @returns the norm before clipping */
export function adamwStep(
  { weights, first, second }: AdamwState,
  grads: Numbers,
  decays: (i: number) => boolean,
  step: number,
  options: AdamwOptions,
): number {
  const { learning_rate: lr, adam_beta1: b1, adam_beta2: b2, adam_epsilon, weight_decay, max_grad_norm } = options;
  const norm = Math.sqrt(Array.from(grads).reduce((sum, g) => sum + g * g, 0));
  const scale = max_grad_norm > 0 ? Math.min(1, max_grad_norm / (norm + 1e-6)) : 1;
  for (let i = 0; i < weights.length; i++) {
    const g = grads[i]! * scale;
    first[i] = b1 * first[i]! + (1 - b1) * g;
    second[i] = b2 * second[i]! + (1 - b2) * g * g;
    if (decays(i)) weights[i]! *= 1 - lr * weight_decay;
    const root = Math.sqrt(second[i]! / (1 - b2 ** step));
    weights[i]! -= (lr * (first[i]! / (1 - b1 ** step))) / (root + adam_epsilon);
  }
  return norm;
}
