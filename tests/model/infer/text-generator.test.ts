/** @file Generation with a large model's engine: greedy as Transformers, prefixes reused, stopping, running past the context. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { modelFiles } from '../../../src/cli/model-files';
import { openModel } from '../../../src/formats/open-model';
import type { Model } from '../../../src/formats/model';
import { readSafetensors, toIntegers } from '../../../src/formats/hf/safetensors';
import type { Gpu } from '../../../src/gpu/gpu';
import { InferenceModel } from '../../../src/model/infer/inference-model';
import { inferencePlan } from '../../../src/model/infer/inference-plan';
import { TextGenerator, type GenerationSettings, type PromptCost } from '../../../src/model/infer/text-generator';
import type { Draw } from '../../../src/nn/infer/sampler';
import { openTestGpu } from '../../support/gpu';

const root = new URL('../../goldens/checkpoints/', import.meta.url).pathname;
const file = readSafetensors(readFileSync(`${root}qwen3.golden.safetensors`));
const prompt = toIntegers(file.tensors.get('input_ids')!);
const greedy = toIntegers(file.tensors.get('greedy')!);

let gpu: Gpu;
let opened: Model;
let generator: TextGenerator;
const CONTEXT = 40;

async function make(slots: number): Promise<TextGenerator> {
  const typeOf = (name: string) => opened.tensors.get(name)!.type;
  const options = { cache: 'f32', context: CONTEXT, prefillTokens: 4, slots } as const;
  const model = await InferenceModel.load(gpu, opened, inferencePlan(opened.config, typeOf, options));
  return new TextGenerator(model, { stops: [] });
}

beforeAll(async () => {
  gpu = await openTestGpu();
  opened = await openModel(await modelFiles(`${root}qwen3`));
  generator = await make(1);
});
afterAll(() => gpu.destroy());

const best: GenerationSettings = { temperature: 0, top_k: 0, top_p: 1, seed: 0, stream: 0, max_new_tokens: 16 };
const drawing: GenerationSettings = { ...best, temperature: 1.5, seed: 7 };

async function all(
  ids: number[],
  settings: GenerationSettings,
  { signal = new AbortController().signal, stopAfter = Infinity, from = generator } = {},
) {
  const draws: Draw[] = [];
  let cost: PromptCost | null = null;
  for await (const draw of from.generate(ids, settings, signal, (told) => (cost = told))) {
    draws.push(draw);
    if (draws.length >= stopAfter) break;
  }
  return { ids: draws.map(({ id }) => id), draws, cost: cost as PromptCost | null };
}

describe('TextGenerator', () => {
  it("takes Transformers' greedy tokens, and reports the likeliest beside them", async () => {
    const { ids, draws, cost } = await all(prompt, { ...best, top: 4 });
    expect(ids).toEqual(greedy);
    expect(cost).toMatchObject({ prompt: prompt.length, cached: 0 });
    for (const { id, logprob, top } of draws) {
      expect(top[0]!.id).toBe(id);
      expect(top[0]!.logprob).toBeCloseTo(logprob, 4);
      expect(top[1]!.logprob).toBeLessThanOrEqual(top[0]!.logprob);
    }
  });

  it('computes only what the conversation before did not hold, with the same result', async () => {
    const longer = [...prompt, ...greedy.slice(0, 10)];
    const again = await all(longer, { ...best, max_new_tokens: 6 });
    expect(again.ids).toEqual(greedy.slice(10));
    expect(again.cost!.cached).toBe(longer.length - 1);
    const other = [...prompt.slice(0, 5), 3, 4];
    const changed = await all(other, best);
    expect(changed.cost!.cached).toBe(5);
    generator.forget();
    expect(await all(other, best)).toMatchObject({ ids: changed.ids, cost: { cached: 0 } });
  });

  it('repeats its draws for a seed, and draws otherwise for another', async () => {
    const first = await all(prompt, drawing);
    expect((await all(prompt, drawing)).ids).toEqual(first.ids);
    expect((await all(prompt, { ...drawing, seed: 8 })).ids).not.toEqual(first.ids);
  });

  it('stops when asked, and goes on from what it had', async () => {
    const abort = new AbortController();
    const ids: number[] = [];
    for await (const { id } of generator.generate(prompt, best, abort.signal)) {
      ids.push(id);
      if (ids.length === 5) abort.abort();
    }
    expect(ids).toEqual(greedy.slice(0, 5));
    const rest = await all([...prompt, ...ids], { ...best, max_new_tokens: 11 });
    expect(rest.ids).toEqual(greedy.slice(5));
    expect(rest.cost!.cached).toBe(prompt.length + 4);
  });

  it('runs past its context, and forgets the beginning that is gone', async () => {
    const { ids } = await all(prompt, { ...best, max_new_tokens: 60 });
    expect(ids.length).toBe(60);
    expect(ids.slice(0, 16)).toEqual(greedy);
    const after = await all(prompt, best);
    expect(after).toMatchObject({ ids: greedy, cost: { cached: 0 } });
  });

  it('refuses an empty prompt and one longer than the context', async () => {
    await expect(all([], best)).rejects.toThrow(/no tokens/);
    await expect(all(new Array<number>(CONTEXT + 1).fill(3), best)).rejects.toThrow(/41 tokens.*40/);
  });

  it('draws a group of completions of one prompt, the first as it would alone', async () => {
    const group = await make(3);
    const completions = await group.group(prompt, drawing);
    const alone = await all(prompt, drawing);
    const ids = completions.map((draws) => draws.map(({ id }) => id));
    expect(ids[0]).toEqual(alone.ids);
    expect(new Set(ids.map(String)).size).toBe(3);
    expect(await group.group(prompt, best)).toHaveLength(3);
    for (const draws of await group.group(prompt, best)) expect(draws.map(({ id }) => id)).toEqual(greedy);
  });

  it('completes several prompts side by side, each as it would be alone', async () => {
    const prompts = [prompt, prompt.slice(0, 3), [...prompt, ...greedy.slice(0, 5)], prompt.slice(2)];
    const [three, five] = [await make(3), await make(5)];
    const together = (await three.each(prompts, best)).map((draws) => draws.map(({ id }) => id));
    for (const [i, ids] of together.entries()) expect(ids).toEqual((await all(prompts[i]!, best)).ids);
    // What is drawn does not depend on how many are drawn side by side.
    const ids = async (from: TextGenerator) =>
      (await from.each(prompts, drawing)).map((draws) => draws.map(({ id }) => id));
    expect(await ids(five)).toEqual(await ids(three));
  });
});
