/** @file The benchmarks by name, each with the options that it takes. */
import { openModelAt } from '../src/cli/engine';
import { UsageError, type parseOptions } from '../src/cli/options';
import type { Gpu } from '../src/gpu/gpu';
import type { WeightKind } from '../src/nn/infer/packed';
import { configForTask, defaultRunConfig } from '../src/runs/config';
import { benchAttention, formatAttention } from './kernels/attention';
import { benchGemm, formatGemm } from './kernels/gemm';
import { benchGemv, formatGemv } from './kernels/gemv';
import { benchMatmul, formatMatmul } from './kernels/matmul';
import { benchSampler, formatSampler } from './kernels/sampler';
import { benchDecode, formatDecode } from './models/decode';
import { benchGrpo, formatGrpo } from './models/grpo';
import { benchInference, formatInference } from './models/inference';
import { benchLora, formatLora } from './models/lora';
import { shapes } from './models/shapes';
import { benchTrain, formatTrain } from './models/train';
import { formatVerified, verify } from './models/verify';
import { formatOrtPeer, ortPeer } from './ort-peer';
import { formatTrlPeer, trlPeer } from './trl-peer';

type Specs = Parameters<typeof parseOptions>[1];
type Options<S extends Specs> = ReturnType<typeof parseOptions<S>>;

export interface Benchmark {
  options: Specs;
  /** @returns what was measured, for `--json`, and the same as text */
  run(gpu: Gpu, options: object): Promise<{ result: unknown; text: string }>;
}

const benchmark = <S extends Specs>(
  options: S,
  run: (gpu: Gpu, options: Options<S>) => Promise<{ result: unknown; text: string }>,
): Benchmark => ({ options, run: (gpu, given) => run(gpu, given as Options<S>) });

const printed = <T>(result: T, format: (result: T) => string) => ({ result, text: format(result) });

const sweep = { sweep: { type: 'flag' } } as const;

/** A step of GRPO with the tiny model. */
const stepOptions = {
  model: { type: 'string', default: 'public/models/tinythink-1m' },
  task: { type: 'string', default: 'sum' },
  prompts: { type: 'number', default: 16 },
  group: { type: 'number', default: 16 },
  'max-new': { type: 'number', default: 112 },
  steps: { type: 'number', default: 30 },
} as const;

const stepConfig = (options: Options<typeof stepOptions>) => ({
  ...configForTask(defaultRunConfig, options.task),
  num_prompts: options.prompts,
  num_generations: options.group,
  max_completion_length: options['max-new'],
  log_probability_change: false,
});

/** A large model of random weights. */
const inferenceOptions = {
  /** One of bench/models/shapes.ts. */
  shape: { type: 'string' },
  quant: { type: 'string', default: 'q4' },
  context: { type: 'number', default: 512 },
  prefill: { type: 'number', default: 512 },
  tokens: { type: 'number', default: 128 },
  repeats: { type: 'number', default: 5 },
  /** Sequences side by side. */
  slots: { type: 'number', default: 1 },
  profile: { type: 'flag' },
  /** A Python with ONNX Runtime's WebGPU plugin (bench/ort_decode.py), measured on the same machine; `none`: leave it out. */
  peer: { type: 'string', default: 'none' },
} as const;

async function inference(gpu: Gpu, options: Options<typeof inferenceOptions> & { shape: string }) {
  const measured = await benchInference(gpu, options);
  gpu.destroy();
  const peer = options.peer === 'none' ? null : await ortPeer(options.peer, options);
  const text = formatInference(measured) + (peer ? `\n${formatOrtPeer(measured, peer)}` : '');
  return { result: { ...measured, peer }, text };
}

export const benchmarks: Readonly<Record<string, Benchmark>> = {
  grpo: benchmark(
    {
      ...stepOptions,
      /** A Python with TRL, to measure its step on the same machine; `none`: leave it out. */
      python: { type: 'string', default: 'python3' },
    },
    async (gpu, options) => {
      const measured = await benchGrpo(gpu, stepConfig(options), await openModelAt(options.model), {
        steps: options.steps,
      });
      gpu.destroy();
      const trl = options.python === 'none' ? null : await trlPeer(options.python, options);
      const text = [formatGrpo(measured), formatTrlPeer(measured.step_ms.median, trl)].join('\n');
      return { result: { ...measured, trl }, text };
    },
  ),
  train: benchmark(stepOptions, async (gpu, options) =>
    printed(await benchTrain(gpu, stepConfig(options), await openModelAt(options.model), options.steps), formatTrain),
  ),
  /** The tiny model's decoder, or with `--shape` a large model's. */
  decode: benchmark({ ...stepOptions, ...inferenceOptions }, async (gpu, options) => {
    if (options.shape !== undefined) return inference(gpu, { ...options, shape: options.shape });
    return printed(
      await benchDecode(gpu, stepConfig(options), await openModelAt(options.model), options.steps),
      formatDecode,
    );
  }),
  prefill: benchmark(inferenceOptions, async (gpu, options) => {
    if (options.shape === undefined) throw new UsageError('bench prefill takes --shape; see bench/models/shapes.ts');
    return inference(gpu, { ...options, shape: options.shape });
  }),
  lora: benchmark(
    {
      shape: { type: 'string', default: 'smollm2-135m' },
      quant: { type: 'string', default: 'q4' },
      group: { type: 'number', default: 16 },
      'max-new': { type: 'number', default: 112 },
      /** Tokens of the prompt, of which a group of completions is sampled. */
      'prompt-tokens': { type: 'number', default: 128 },
      steps: { type: 'number', default: 30 },
      profile: { type: 'flag' },
    },
    async (gpu, { shape, quant, group, steps, profile, ...options }) => {
      const sizes = { shape, quant, group, max_new: options['max-new'], prompt: options['prompt-tokens'], steps };
      return printed(await benchLora(gpu, sizes, profile ? 'kernel' : 'phase'), formatLora);
    },
  ),
  matmul: benchmark({ ...sweep, rows: { type: 'number', default: 8192 } }, async (gpu, options) =>
    printed(await benchMatmul(gpu, options), formatMatmul),
  ),
  gemv: benchmark(
    {
      ...sweep,
      shape: { type: 'string', default: 'r1-distill-qwen-1.5b' },
      /** Kinds of weights. */
      kinds: { type: 'string', default: 'q4_0,q4_k,q8_0,f16' },
      /** Numbers of tokens at once. */
      batch: { type: 'string', default: '1,2,4,8' },
    },
    async (gpu, { shape, kinds, batch, sweep }) => {
      const config = shapes[shape];
      if (!config) throw new UsageError(`no shape ${shape}; there are ${Object.keys(shapes).join(', ')}`);
      const list = { kinds: kinds.split(',') as WeightKind[], tokens: batch.split(',').map(Number) };
      return printed(await benchGemv(gpu, { config, ...list, sweep }), formatGemv);
    },
  ),
  gemm: benchmark(sweep, async (gpu, options) => printed(await benchGemm(gpu, options), formatGemm)),
  attention: benchmark(sweep, async (gpu, options) => printed(await benchAttention(gpu, options), formatAttention)),
  sampler: benchmark({ vocab: { type: 'number', default: 151936 } }, async (gpu, options) =>
    printed(await benchSampler(gpu, options), formatSampler),
  ),
  verify: benchmark(
    {
      /** Checkpoints with the logits that Transformers computes. */
      goldens: { type: 'string', default: 'tests/goldens/checkpoints' },
    },
    async (gpu, { goldens }) => printed(await verify(gpu, goldens), formatVerified),
  ),
};
