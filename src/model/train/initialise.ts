/** @file Random starting weights, as GPT-2 and Llama are usually started. */
import { decoderTensors, valuesOf } from '../../formats/hf/architecture';
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { Rng } from '../../base/rng';

/**
 * N(0, range²) for matrices, divided by √(2 · layers) for those that write to the residual stream (GPT-2); ones for norms,
 * zeros for biases.
 */
export function initialParameters(
  random: Rng,
  config: DecoderConfig,
  range: number,
): Map<string, { data: Float32Array<ArrayBuffer> }> {
  const named = decoderTensors(config).map((tensor) => {
    const { name, shape, writesStream } = tensor;
    const data = new Float32Array(valuesOf(tensor));
    if (shape.length === 1) data.fill(name.endsWith('bias') ? 0 : 1);
    else {
      const deviation = writesStream ? range / Math.sqrt(2 * config.num_hidden_layers) : range;
      for (let i = 0; i < data.length; i++) data[i] = deviation * normal(random);
    }
    return [name, { data }] as const;
  });
  return new Map(named);
}

/** A standard normal draw (Box–Muller). */
function normal(random: Rng): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}
