/**
 * @file This repository's engine in a page, measured as page.html measures transformers.js: the same checkpoint, prompt,
 * greedy decoding and clock. run.mjs bundles it and calls `bench`.
 */
import { blobFile } from '../../src/formats/files/blob-files';
import { parseDecoderConfig } from '../../src/formats/hf/hf-config';
import { matchTensors } from '../../src/formats/hf/match-tensors';
import type { ModelFiles } from '../../src/formats/files/model-files';
import { findTensors } from '../../src/formats/hf/safetensors-file';
import { Gpu } from '../../src/gpu/gpu';
import { InferenceModel } from '../../src/model/infer/inference-model';
import { inferencePlan } from '../../src/model/infer/inference-plan';
import { TextGenerator } from '../../src/model/infer/text-generator';
import type { Quantization } from '../../src/model/infer/weight-plan';

/** What transformers.js calls `dtype`, by what it is here. */
const quantizations: Record<string, Quantization> = { q4: 'q4_0', q8: 'q8_0', fp32: 'stored' };
/** What the rotary tables of the peer's model file hold. Its keys and values are f32, and so they are here. */
const CONTEXT = 1024;

interface Run {
  /** Milliseconds, between the first and the last token as they arrive. */
  perToken: number;
  /** Milliseconds until the first token, the prompt's computation included. */
  first: number;
  ids: number[];
}

let generator: TextGenerator;

/** @returns the name of what computes */
async function load({ model: name, dtype }: { model: string; dtype: string }): Promise<string> {
  const files = served(`/models/${name}/`, name);
  const config = parseDecoderConfig(await (await fetch(`/models/${name}/config.json`)).json());
  const tensors = matchTensors(config, await findTensors(files));
  const bytes = [...tensors.values()].reduce((sum, tensor) => sum + tensor.bytes, 0);
  const quant = quantizations[dtype];
  if (!quant) throw new Error(`no weights in ${dtype}; there are ${Object.keys(quantizations).join(', ')}`);
  const gpu = await Gpu.request(navigator.gpu);
  const options = { quant, context: CONTEXT, cache: 'f32' } as const;
  const plan = inferencePlan(config, (tensor) => tensors.get(tensor)!.type, options);
  generator = new TextGenerator(await InferenceModel.load(gpu, { config, tensors, bytes, adapter: null }, plan), {
    stops: [],
  });
  return gpu.description;
}

async function once({ prompt, tokens }: { prompt: number[]; tokens: number }): Promise<Run> {
  // Else the prompt would be taken from what the run before left.
  generator.forget();
  const times: number[] = [];
  const ids: number[] = [];
  const start = performance.now();
  const settings = { temperature: 0, top_k: 0, top_p: 1, seed: 1, stream: 0, max_new_tokens: tokens };
  for await (const { id } of generator.generate(prompt, settings, new AbortController().signal)) {
    times.push(performance.now());
    ids.push(id);
  }
  return { perToken: (times.at(-1)! - times[0]!) / (times.length - 1), first: times[0]! - start, ids };
}

/** A folder of this page's server. */
function served(base: string, name: string): ModelFiles {
  return {
    name,
    list: () => Promise.resolve(null),
    async open(path) {
      const response = await fetch(base + path);
      return response.ok ? blobFile(path, await response.blob()) : null;
    },
  };
}

Object.assign(window, { bench: { load, once }, ready: true });
