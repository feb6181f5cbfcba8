/** @file The sampler in float64, from the definitions in Transformers' logits processors, and its random numbers. */
import type { SamplerSettings } from '../../../src/nn/infer/sampler';
import { softmax } from '../reference';

type Numbers = ArrayLike<number>;

/** RepetitionPenaltyLogitsProcessor, rounded to f32 as it is there. */
export function penalise(logits: Numbers, seen: ReadonlySet<number>, penalty: number): Float64Array {
  return Float64Array.from(logits, (x, id) =>
    seen.has(id) && penalty !== 1 ? Math.fround(x < 0 ? x * penalty : x / penalty) : x,
  );
}

/**
 * The tokens that may be drawn. Where the limit of top-p falls on several equally likely tokens, all are kept;
 * Transformers keeps as many of them as its sort happens to put first.
 */
export function keptTokens(logits: Numbers, settings: Partial<SamplerSettings>): Set<number> {
  const { temperature = 1, top_k = 0, top_p = 1, min_p = 0 } = settings;
  const { p } = softmax(logits, temperature);
  const order = Array.from(p, (_, id) => id).sort((a, b) => logits[b]! - logits[a]!);
  const kth = top_k > 0 ? logits[order[Math.min(top_k, order.length) - 1]!]! : -Infinity;
  const left = order.filter((id) => logits[id]! >= kth);
  const all = left.reduce((sum, id) => sum + p[id]!, 0);
  const kept = new Set<number>();
  let likelier = 0;
  for (let i = 0; i < left.length;) {
    if (i > 0 && top_p < 1 && likelier >= top_p * all) break;
    let weight = 0;
    const logit = logits[left[i]!]!;
    for (; i < left.length && logits[left[i]!] === logit; i++) {
      weight += p[left[i]!]!;
      if (p[left[i]!]! >= min_p * p[order[0]!]!) kept.add(left[i]!);
    }
    likelier += weight;
  }
  return kept;
}

/** shaders/lib/random.wesl */
function pcg4d(counter: readonly number[]): Uint32Array {
  const v = Uint32Array.from(counter, (x) => Math.imul(x, 1664525) + 1013904223);
  const mix = () => {
    v[0] = v[0]! + Math.imul(v[1]!, v[3]!);
    v[1] = v[1]! + Math.imul(v[2]!, v[0]!);
    v[2] = v[2]! + Math.imul(v[0]!, v[1]!);
    v[3] = v[3]! + Math.imul(v[1]!, v[2]!);
  };
  mix();
  v.forEach((x, i) => (v[i] = x ^ (x >>> 16)));
  mix();
  return v;
}

/** Gumbel noise of tokens. */
function gumbel({ seed, stream }: Pick<SamplerSettings, 'seed' | 'stream'>, row: number, position: number) {
  const [x, y, z] = pcg4d([seed, stream, row, position]);
  return (id: number) => -Math.log(-Math.log(((pcg4d([x!, y!, z!, id])[0]! >>> 9) + 0.5) / 2 ** 23));
}

/** What the tokens compete by: logit / temperature + Gumbel noise. Of `ids` alone, or all. */
export function competition(
  logits: Numbers,
  { temperature, ...key }: Pick<SamplerSettings, 'temperature' | 'seed' | 'stream'>,
  row: number,
  position: number,
  ids?: readonly number[],
): Float64Array {
  const noise = gumbel(key, row, position);
  const score = (id: number) => logits[id]! / temperature + noise(id);
  return ids ? Float64Array.from(ids, score) : Float64Array.from(logits, (_, id) => score(id));
}
