/**
 * @file Speed of a large model's shape with random weights: tokens a second from a cached context on, and the time of a
 * prompt, beside what this GPU can do at best.
 */
import type { StoredType } from '../../src/formats/gguf/stored-types';
import type { Gpu } from '../../src/gpu/gpu';
import { InferenceModel } from '../../src/model/infer/inference-model';
import { DECODE_STEPS, inferencePlan } from '../../src/model/infer/inference-plan';
import { Sampler, resultWords } from '../../src/nn/infer/sampler';
import { formatCeilings, measureCeilings, type Ceilings } from '../kernels/ceilings';
import { randomModel, shapes } from './shapes';
import { clocked, spread } from '../statistics';

/** The values of `--quant`, and the type that every matrix then has, the head included. */
const benchTypes: Record<string, StoredType> = {
  f32: 'F32',
  f16: 'F16',
  q8: 'Q8_0',
  q4: 'Q4_0',
  q4_k: 'Q4_K',
  q5_k: 'Q5_K',
  q6_k: 'Q6_K',
};

export interface InferenceBenchOptions {
  shape: string;
  quant: string;
  /** Cached tokens that decoding begins with. */
  context: number;
  /** Tokens of the prompt. */
  prefill: number;
  /** Tokens drawn in a repeat. */
  tokens: number;
  repeats: number;
  /** Sequences that are continued side by side. */
  slots: number;
  profile: boolean;
}

type Times = ReturnType<typeof spread>;

export interface InferenceBench {
  gpu: string;
  features: string[];
  shape: string;
  quant: string;
  weight_bytes: number;
  ceilings: Ceilings;
  decode: Times & {
    context: number;
    slots: number;
    tokens: number;
    tokens_per_second: number;
    dispatches_per_token: number;
    /** In the layers only. */
    dispatches_per_layer: number;
    /** Weights read a second, 10^9 bytes. */
    weights_gb_per_s: number;
  };
  /** With the settings recommended for DeepSeek-R1: temperature 0.6, top-p 0.95. */
  decode_r1: Times & { tokens_per_second: number };
  prefill: Times & { tokens: number; tokens_per_second: number; tflops: number };
  /** GPU milliseconds by kernel, of one step and of one prompt. */
  profile?: { decode: Record<string, number>; prefill: Record<string, number> };
}

/** @throws Error for a shape or quantisation that isn't there, or one that doesn't fit */
export async function benchInference(gpu: Gpu, options: InferenceBenchOptions): Promise<InferenceBench> {
  const config = shapes[options.shape];
  if (!config) throw new Error(`no shape ${options.shape}; there are ${Object.keys(shapes).join(', ')}`);
  const type = benchTypes[options.quant];
  if (!type) throw new Error(`no quantisation ${options.quant}; there are ${Object.keys(benchTypes).join(', ')}`);
  const ceilings = await measureCeilings(gpu);
  const random = randomModel(options.shape, config, type);
  const { slots } = options;
  const context = Math.max(options.context + 2 * options.tokens, options.prefill);
  const plan = inferencePlan(config, (name) => random.tensors.get(name)!.type, {
    context,
    slots,
    prefillTokens: Math.max(options.prefill, 1),
  });
  const model = await InferenceModel.load(gpu, random, plan);
  const vocab = config.vocab_size;
  const ids = Array.from({ length: options.prefill }, (_, i) => (i * 7919) % vocab);

  const prompt = (recorder = gpu.recorder()) => {
    model.recordPrefill(recorder, ids, 0);
    model.recordLogits(recorder, ids.length - 1, 1);
    const read = recorder.read(model.buffers.work.logits, 4);
    recorder.submit();
    return read;
  };
  const prefillTimes = spread(await clocked(prompt, 3, options.repeats));

  const sampler = await Sampler.create(gpu, { vocab, maxRows: slots, stops: [], top: 0 });
  const tokens = gpu.alloc('drawn', 4 * slots * options.tokens);
  const results = gpu.alloc('draws', 4 * slots * options.tokens * resultWords(0));
  const greedy = { temperature: 0, top_k: 0, top_p: 1, seed: 1, stream: 1 };
  let dispatches = 0;
  let inLayers = 0;
  const draw = async (settings: typeof greedy, count = options.tokens, recorder = gpu.recorder()) => {
    for (let slot = 0; slot < slots; slot++) sampler.start(slot);
    let last: Promise<ArrayBuffer> | null = null;
    let waiting: Promise<ArrayBuffer> | null = null;
    for (let at = 0; at < count; at += DECODE_STEPS) {
      const steps = Math.min(DECODE_STEPS, count - at);
      model.placeSteps(options.context + at, steps);
      for (let step = 0; step < steps; step++) {
        const before = recorder.dispatches;
        model.recordDecode(recorder, tokens, slots * Math.max(0, at + step - 1), step, options.context + at + step);
        inLayers = recorder.dispatches - before - 2;
        sampler.record(recorder, { logits: model.buffers.work.logits, tokens, results }, settings, {
          rows: slots,
          at: slots * (at + step),
        });
        dispatches = recorder.dispatches - before;
      }
      // The previous chunk is read while this one runs, as in a conversation.
      await waiting;
      waiting = last;
      last = recorder.read(tokens, 4 * slots * count);
      recorder.submit();
    }
    await last;
  };
  const decodeTimes = spread(await clocked(() => draw(greedy), 2, options.repeats));
  const r1 = { ...greedy, temperature: 0.6, top_p: 0.95 };
  const r1Times = spread(await clocked(() => draw(r1), 2, options.repeats));

  let profile: InferenceBench['profile'];
  if (options.profile) {
    const decoding = gpu.recorder({ profile: 'kernel' });
    await draw(r1, 4, decoding);
    const prompting = gpu.recorder({ profile: 'kernel' });
    await prompt(prompting);
    const shares = async (recorder: typeof decoding, by: number) =>
      Object.fromEntries(
        Object.entries((await recorder.timings()).milliseconds).map(([name, ms]) => [
          name.replace('other/', ''),
          ms / by,
        ]),
      );
    profile = { decode: await shares(decoding, 4), prefill: await shares(prompting, 1) };
  }
  const rate = (times: Times, count: number) => (1000 * count) / times.median_ms;
  const embedding = vocab * config.hidden_size;
  // Twice the weights that a token passes; the embedding is looked up, and the head made for the last token alone.
  const passed = parameterCountOf(random) - (config.tie_word_embeddings ? embedding : 2 * embedding);
  return {
    gpu: gpu.description,
    features: Object.entries(gpu.features)
      .filter(([, has]) => has)
      .map(([name]) => name),
    shape: options.shape,
    quant: options.quant,
    weight_bytes: plan.weights.bytes,
    ceilings,
    decode: {
      ...decodeTimes,
      context: options.context,
      slots,
      tokens: options.tokens,
      tokens_per_second: rate(decodeTimes, slots * options.tokens),
      dispatches_per_token: dispatches,
      dispatches_per_layer: inLayers / config.num_hidden_layers,
      weights_gb_per_s: (plan.weights.bytes * rate(decodeTimes, options.tokens)) / 1e9,
    },
    decode_r1: { ...r1Times, tokens_per_second: rate(r1Times, slots * options.tokens) },
    prefill: {
      ...prefillTimes,
      tokens: options.prefill,
      tokens_per_second: rate(prefillTimes, options.prefill),
      tflops: (2 * passed * options.prefill) / prefillTimes.median_ms / 1e9,
    },
    ...(profile && { profile }),
  };
}

const parameterCountOf = (model: Pick<ReturnType<typeof randomModel>, 'tensors'>): number =>
  [...model.tensors.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

export function formatInference(r: InferenceBench): string {
  const { decode: d, decode_r1: s, prefill: p } = r;
  const range = (t: Times) => `${t.min_ms.toFixed(1)} to ${t.max_ms.toFixed(1)}`;
  const lines = [
    `${r.gpu} (${r.features.join(', ')}): ${r.shape} in ${r.quant}, ${(r.weight_bytes / 1e6).toFixed(0)} MB of weights`,
    formatCeilings(r.ceilings),
    `decode${d.slots > 1 ? ` of ${d.slots} sequences` : ''} from ${d.context} tokens on: ${d.tokens_per_second.toFixed(0)} tokens/s greedy, ${s.tokens_per_second.toFixed(0)} at temperature 0.6 and top-p 0.95 (${d.tokens} tokens in ${d.median_ms.toFixed(1)} ms, ${range(d)})`,
    `  ${d.dispatches_per_token} dispatches a step, ${d.dispatches_per_layer.toFixed(1)} a layer; ${d.weights_gb_per_s.toFixed(0)} GB/s of weights`,
    `prefill of ${p.tokens} tokens: ${p.median_ms.toFixed(2)} ms (${range(p)}), ${p.tokens_per_second.toFixed(0)} tokens/s, ${p.tflops.toFixed(1)} TFLOP/s`,
  ];
  for (const [part, times] of Object.entries(r.profile ?? {})) {
    const sorted = Object.entries(times).sort(([, a], [, b]) => b - a);
    lines.push(`${part} by kernel, ms: ${sorted.map(([name, ms]) => `${name} ${ms.toFixed(3)}`).join(', ')}`);
  }
  return lines.join('\n');
}
