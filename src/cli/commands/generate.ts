/**
 * @file `generate --model DIR|FILE.gguf --prompt TEXT` and `logits --model DIR|FILE.gguf --ids 1,2,3 --out FILE`, both with a
 * PEFT folder as --adapter.
 */
import { openChatModel } from '../../engine/open';
import { writeSafetensors } from '../../formats/hf/safetensors';
import { InferenceModel } from '../../model/infer/inference-model';
import { inferencePlan, type InferenceOptions } from '../../model/infer/inference-plan';
import { adaptedTensors } from '../../model/lora/lora-merge';
import { promptLogits } from '../../model/infer/logits';
import { quantizations, type Quantization } from '../../model/infer/weight-plan';
import { cacheKinds, type CacheKind } from '../../nn/infer/kv-cache';
import { openModelAt } from '../engine';
import { writeWhole } from '../files';
import { openGpu } from '../gpu';
import { parseOptions, UsageError } from '../options';

/** How a model is held; the same for every command that opens one. */
export const inferenceFlags = {
  quant: { type: 'string', default: 'stored' },
  cache: { type: 'string', default: 'f16' },
  context: { type: 'number' },
} as const;

/** @throws UsageError naming what can be chosen */
export function inferenceOptions(options: {
  quant: string;
  cache: string;
  context: number | undefined;
}): InferenceOptions {
  const short: Record<string, Quantization> = { q8: 'q8_0', q4: 'q4_0' };
  const quant = short[options.quant] ?? options.quant;
  if (!(quantizations as readonly string[]).includes(quant)) {
    throw new UsageError(`--quant takes ${quantizations.join(', ')}, not ${options.quant}`);
  }
  if (!(cacheKinds as readonly string[]).includes(options.cache)) {
    throw new UsageError(`--cache takes ${cacheKinds.join(', ')}, not ${options.cache}`);
  }
  return {
    quant: quant as Quantization,
    cache: options.cache as CacheKind,
    ...(options.context !== undefined && { context: options.context }),
  };
}

export async function generate(args: string[]): Promise<void> {
  const options = parseOptions(args, {
    model: { type: 'string', required: true },
    prompt: { type: 'string', required: true },
    system: { type: 'string' },
    adapter: { type: 'string' },
    temperature: { type: 'number' },
    'top-k': { type: 'number' },
    'top-p': { type: 'number' },
    'min-p': { type: 'number' },
    'repetition-penalty': { type: 'number' },
    'max-new': { type: 'number', default: 512 },
    seed: { type: 'number', default: 0 },
    ...inferenceFlags,
  });
  const model = await openModelAt(options.model, options.adapter);
  const chat = await openChatModel(await openGpu(), model, inferenceOptions(options));
  const { sampling } = model;
  const system = options.system === undefined ? [] : [{ role: 'system' as const, content: options.system }];
  const request = {
    messages: [...system, { role: 'user' as const, content: options.prompt }],
    max_tokens: options['max-new'],
    temperature: options.temperature ?? sampling.temperature ?? 1,
    top_k: options['top-k'] ?? sampling.top_k ?? 0,
    top_p: options['top-p'] ?? sampling.top_p ?? 1,
    min_p: options['min-p'] ?? sampling.min_p ?? 0,
    repetition_penalty: options['repetition-penalty'] ?? sampling.repetition_penalty ?? 1,
    seed: options.seed,
  };
  for await (const { text, notice } of chat.generate(request, new AbortController().signal)) {
    if (notice) console.error(notice);
    process.stdout.write(text);
  }
  process.stdout.write('\n');
}

/** Writes a safetensors file with the tensor `logits`, f32 [T, vocab]: the logits after each of the T ids. */
export async function logits(args: string[]): Promise<void> {
  const options = parseOptions(args, {
    model: { type: 'string', required: true },
    ids: { type: 'string', required: true },
    out: { type: 'string', required: true },
    adapter: { type: 'string' },
    ...inferenceFlags,
    cache: { type: 'string', default: 'f32' },
  });
  const opened = await openModelAt(options.model, options.adapter);
  const { config, adapter } = opened;
  const ids = options.ids.split(',').map(Number);
  if (!ids.every((id) => Number.isInteger(id) && id >= 0 && id < config.vocab_size)) {
    throw new UsageError(`--ids takes whole numbers from 0 to ${config.vocab_size - 1}, separated by commas`);
  }
  const gpu = await openGpu();
  const typeOf = (name: string) => opened.tensors.get(name)!.type;
  const plan = inferencePlan(config, typeOf, {
    context: ids.length,
    ...inferenceOptions(options),
    ...(adapter && { adapted: adaptedTensors(adapter) }),
  });
  const model = await InferenceModel.load(gpu, opened, plan);
  const data = new Float32Array(ids.length * config.vocab_size);
  (await promptLogits(model, ids)).forEach((row, i) => data.set(row, i * config.vocab_size));
  await writeWhole(options.out, writeSafetensors([{ name: 'logits', shape: [ids.length, config.vocab_size], data }]));
}
