/** @file `generate --model DIR --prompt TEXT` and `logits --model DIR --ids 1,2,3 --out FILE`. */
import { loadModelFolder } from '../../formats/model-folder';
import { writeSafetensors } from '../../formats/safetensors';
import { Decoder } from '../../model/decoder';
import { buildBatch } from '../../model/batch';
import { BatchSlots } from '../../model/batch-slot';
import { allocateParameters, flatten, parameterLayout } from '../../model/parameters';
import { LocalPolicy } from '../../runs/local-policy';
import { folderSource, writeWhole } from '../files';
import { openGpu } from '../gpu';
import { parseOptions, UsageError } from '../options';

export async function generate(args: string[]): Promise<void> {
  const options = parseOptions(args, {
    model: { type: 'string', required: true },
    prompt: { type: 'string', required: true },
    temperature: { type: 'number', default: 1 },
    'top-k': { type: 'number', default: 0 },
    'top-p': { type: 'number', default: 1 },
    'max-new': { type: 'number', default: 160 },
    seed: { type: 'number', default: 0 },
  });
  const policy = await LocalPolicy.create(await openGpu(), await loadModelFolder(folderSource(options.model)));
  const request = {
    messages: [{ role: 'user' as const, content: options.prompt }],
    max_tokens: options['max-new'],
    temperature: options.temperature,
    top_k: options['top-k'],
    top_p: options['top-p'],
    seed: options.seed,
  };
  for await (const { text } of policy.generate(request, new AbortController().signal)) process.stdout.write(text);
  process.stdout.write('\n');
}

/** Writes a safetensors file with the tensor `logits`, f32 [T, vocab]: the logits after each of the T ids. */
export async function logits(args: string[]): Promise<void> {
  const options = parseOptions(args, {
    model: { type: 'string', required: true },
    ids: { type: 'string', required: true },
    out: { type: 'string', required: true },
  });
  const { config, tensors } = await loadModelFolder(folderSource(options.model));
  const ids = options.ids.split(',').map(Number);
  if (!ids.every((id) => Number.isInteger(id) && id >= 0 && id < config.vocab_size)) {
    throw new UsageError(`--ids takes whole numbers from 0 to ${config.vocab_size - 1}, separated by commas`);
  }
  const gpu = await openGpu();
  const maxTokens = ids.length;
  const plan = { maxTokens, maxRows: maxTokens, maxPositions: maxTokens, training: false };
  const decoder = await Decoder.create(gpu, config, plan);
  const layout = parameterLayout(config);
  const params = allocateParameters(gpu, 'parameters', layout, config.num_hidden_layers);
  gpu.write(params.flat, flatten(layout, config.num_hidden_layers, tensors));
  const limits = { maxTokens, maxRows: maxTokens, vocab: config.vocab_size };
  // One more token than is fed, so that every id's hidden state has something to predict.
  const { microBatches } = buildBatch([{ prompt: [], completions: [[...ids, 0]] }], { ...limits, tile: decoder.tile });
  const [slot] = new BatchSlots(gpu, limits).fill(microBatches);
  const recorder = gpu.recorder();
  decoder.forwardLogits(recorder, params, slot!);
  const read = recorder.read(decoder.buffers.logits, ids.length * config.vocab_size * 4);
  recorder.submit();
  const data = new Float32Array(await read);
  await writeWhole(options.out, writeSafetensors([{ name: 'logits', shape: [ids.length, config.vocab_size], data }]));
}
