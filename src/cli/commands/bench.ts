/** @file `bench grpo | train | decode | lora | matmul | gemv | gemm | attention | sampler | verify [--json]`: speed on this machine's GPU, and TRL's on the same machine. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { benchAttention, formatAttention } from '../../../bench/attention';
import { benchDecode, formatDecode } from '../../../bench/decode';
import { benchGemm, formatGemm } from '../../../bench/gemm';
import { benchGemv, formatGemv } from '../../../bench/gemv';
import { benchGrpo, formatGrpo } from '../../../bench/grpo';
import { benchInference, formatInference } from '../../../bench/inference';
import { benchLora, formatLora } from '../../../bench/lora';
import { formatOrtPeer, ortPeer } from '../../../bench/ort-peer';
import { benchMatmul, formatMatmul } from '../../../bench/matmul';
import { benchSampler, formatSampler } from '../../../bench/sampler';
import { benchTrain, formatTrain } from '../../../bench/train';
import { shapes } from '../../../bench/shapes';
import { formatVerified, verify } from '../../../bench/verify';
import type { WeightKind } from '../../nn/infer/packed';
import { configForTask, defaultRunConfig } from '../../runs/config';
import { openModelAt } from '../engine';
import { openGpu } from '../gpu';
import { parseOptions, UsageError } from '../options';

export async function bench([kind = '', ...args]: string[]): Promise<void> {
  const options = parseOptions(args, {
    json: { type: 'flag' },
    sweep: { type: 'flag' },
    rows: { type: 'number', default: 8192 },
    model: { type: 'string', default: 'public/models/tinythink-1m' },
    task: { type: 'string', default: 'sum' },
    prompts: { type: 'number', default: 16 },
    group: { type: 'number', default: 16 },
    /** Of the one prompt that `lora` samples a group of. */
    'prompt-tokens': { type: 'number', default: 128 },
    'max-new': { type: 'number', default: 112 },
    steps: { type: 'number', default: 30 },
    /** A large model's shape, for decode and prefill. */
    shape: { type: 'string' },
    quant: { type: 'string', default: 'q4' },
    context: { type: 'number', default: 512 },
    prefill: { type: 'number', default: 512 },
    tokens: { type: 'number', default: 128 },
    repeats: { type: 'number', default: 5 },
    profile: { type: 'flag' },
    /** Kinds of weights, and numbers of tokens at once, for gemv. */
    kinds: { type: 'string', default: 'q4_0,q4_k,q8_0,f16' },
    batch: { type: 'string', default: '1,2,4,8' },
    /** Sequences side by side, for decode of a large model's shape. */
    slots: { type: 'number', default: 1 },
    /** Tokens that the sampler chooses among. */
    vocab: { type: 'number', default: 151936 },
    /** Checkpoints with what Transformers computes, for verify. */
    goldens: { type: 'string', default: 'tests/goldens/checkpoints' },
    /** A Python with ONNX Runtime's WebGPU plugin (bench/ort_decode.py), to measure it in the same call. */
    peer: { type: 'string', default: 'none' },
    /** A Python with TRL, to measure it in the same call; `none` to leave it out. */
    python: { type: 'string', default: 'python3' },
  });
  const gpu = await openGpu();
  const print = <T>(rows: T, format: (rows: T) => string) =>
    console.log(options.json ? JSON.stringify(rows) : format(rows));
  if (kind === 'matmul') print(await benchMatmul(gpu, { sweep: options.sweep, rows: options.rows }), formatMatmul);
  else if (kind === 'gemv') {
    const { shape = 'r1-distill-qwen-1.5b', kinds, batch, sweep } = options;
    const config = shapes[shape];
    if (!config) throw new UsageError(`no shape ${shape}; there are ${Object.keys(shapes).join(', ')}`);
    const list = { kinds: kinds.split(',') as WeightKind[], tokens: batch.split(',').map(Number) };
    print(await benchGemv(gpu, { config, ...list, sweep }), formatGemv);
  } else if (kind === 'gemm') print(await benchGemm(gpu, { sweep: options.sweep }), formatGemm);
  else if (kind === 'attention') print(await benchAttention(gpu, { sweep: options.sweep }), formatAttention);
  else if (kind === 'sampler') print(await benchSampler(gpu, { vocab: options.vocab }), formatSampler);
  else if (kind === 'verify') print(await verify(gpu, options.goldens), formatVerified);
  else if (kind === 'lora') {
    const { shape = 'smollm2-135m', quant, group, steps, profile } = options;
    const sizes = { shape, quant, group, max_new: options['max-new'], prompt: options['prompt-tokens'], steps };
    print(await benchLora(gpu, sizes, profile ? 'kernel' : 'phase'), formatLora);
  } else if ((kind === 'decode' || kind === 'prefill') && options.shape !== undefined) {
    const sizes = { ...options, shape: options.shape };
    const result = await benchInference(gpu, sizes);
    gpu.destroy();
    const peer = options.peer === 'none' ? null : await ortPeer(options.peer, sizes);
    print({ ...result, peer }, (all) => formatInference(all) + (peer ? `\n${formatOrtPeer(all, peer)}` : ''));
  } else if (kind === 'prefill') throw new UsageError('bench prefill takes --shape; see bench/shapes.ts');
  else if (kind === 'grpo' || kind === 'train' || kind === 'decode') {
    const config = {
      ...configForTask(defaultRunConfig, options.task),
      num_prompts: options.prompts,
      num_generations: options.group,
      max_completion_length: options['max-new'],
      log_probability_change: false,
    };
    const folder = await openModelAt(options.model);
    if (kind === 'train') return print(await benchTrain(gpu, config, folder, options.steps), formatTrain);
    if (kind === 'decode') return print(await benchDecode(gpu, config, folder, options.steps), formatDecode);
    const result = await benchGrpo(gpu, config, folder, {
      steps: options.steps,
    });
    gpu.destroy();
    const peer = options.python === 'none' ? null : await trlStep(options.python, options);
    print({ ...result, trl: peer }, (all) => [formatGrpo(all), formatPeer(all.step_ms.median, peer)].join('\n'));
  } else
    throw new UsageError('bench what? grpo, train, decode, lora, matmul, gemv, gemm, attention, sampler or verify');
}

interface Peer {
  version: string;
  median_s: number;
  steps: number;
}

/** TRL's own step time at the same shape on this machine, or why it can't be had. */
async function trlStep(
  python: string,
  options: { model: string; prompts: number; group: number; 'max-new': number },
): Promise<Peer | string> {
  const script = 'bench/trl_step.py';
  if (!existsSync(script)) return `not measured: ${script} is not here`;
  const sizes = [
    '--model',
    options.model,
    '--prompts',
    options.prompts,
    '--group',
    options.group,
    '--max-new',
    options['max-new'],
  ];
  try {
    const { stdout } = await promisify(execFile)(python, [script, ...sizes.map(String)], { maxBuffer: 2 ** 24 });
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as Peer;
  } catch (error) {
    return `not measured: ${(error as Error).message.split('\n').slice(-3).join(' ').slice(-300)}`;
  }
}

function formatPeer(ours: number, peer: Peer | string | null): string {
  if (peer === null || typeof peer === 'string') return `TRL: ${peer ?? 'left out'}`;
  const theirs = peer.median_s * 1000;
  return `TRL ${peer.version}: median ${theirs.toFixed(0)} ms over ${peer.steps} steps; ours is ${(theirs / ours).toFixed(1)} times as fast`;
}
