/**
 * @file `generate --model DIR|FILE.gguf --prompt TEXT` and `logits --model DIR|FILE.gguf --ids 1,2,3 --out FILE`, both with a
 * PEFT folder as --adapter.
 */
import type { OpenedModel } from '../../formats/files/model-files';
import { openModel } from '../../formats/open-model';
import { readPeft, type PeftAdapter } from '../../formats/hf/peft';
import { writeSafetensors } from '../../formats/hf/safetensors';
import { InferenceModel } from '../../model/infer/inference-model';
import { inferencePlan, type InferenceOptions } from '../../model/infer/inference-plan';
import { loraTargets } from '../../model/lora/lora-layout';
import { adaptedTensors } from '../../model/lora/lora-merge';
import { promptLogits } from '../../model/infer/logits';
import { quantizations, type Quantization } from '../../model/infer/weight-plan';
import { cacheKinds, type CacheKind } from '../../nn/infer/kv-cache';
import { PackedChatModel } from '../../engine/packed-chat-model';
import { folderSource, writeWhole } from '../files';
import { openGpu } from '../gpu';
import { modelFiles } from '../model-files';
import { parseOptions, UsageError } from '../options';

/** How a model is held; the same for every command that opens one. */
export const inferenceFlags = {
  quant: { type: 'string', default: 'stored' },
  cache: { type: 'string', default: 'f16' },
  context: { type: 'number' },
} as const;

/** The adapter in a PEFT folder, where one is named. @throws PeftError */
const adapterOf = async (path: string | undefined, { config }: OpenedModel): Promise<PeftAdapter | undefined> =>
  path === undefined ? undefined : await readPeft(folderSource(path), loraTargets(config));

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
  const opened = await openModel(await modelFiles(options.model));
  const adapter = await adapterOf(options.adapter, opened);
  const gpu = await openGpu();
  const policy = await PackedChatModel.create(gpu, opened, inferenceOptions(options), undefined, undefined, adapter);
  const { sampling } = opened;
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
  for await (const { text, notice } of policy.generate(request, new AbortController().signal)) {
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
  const opened = await openModel(await modelFiles(options.model));
  const { config } = opened;
  const ids = options.ids.split(',').map(Number);
  if (!ids.every((id) => Number.isInteger(id) && id >= 0 && id < config.vocab_size)) {
    throw new UsageError(`--ids takes whole numbers from 0 to ${config.vocab_size - 1}, separated by commas`);
  }
  const adapter = await adapterOf(options.adapter, opened);
  const gpu = await openGpu();
  const typeOf = (name: string) => opened.tensors.get(name)!.type;
  const plan = inferencePlan(config, typeOf, {
    context: ids.length,
    ...inferenceOptions(options),
    ...(adapter && { adapted: adaptedTensors(adapter) }),
  });
  const model = await InferenceModel.load(gpu, opened, plan, undefined, undefined, adapter);
  const data = new Float32Array(ids.length * config.vocab_size);
  (await promptLogits(model, ids)).forEach((row, i) => data.set(row, i * config.vocab_size));
  await writeWhole(options.out, writeSafetensors([{ name: 'logits', shape: [ids.length, config.vocab_size], data }]));
}
