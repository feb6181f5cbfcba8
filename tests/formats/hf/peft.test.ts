/** @file PEFT folders: what is written is read back, and what can't be computed is refused by name. */
import { expect, it } from 'vitest';
import { mapFiles } from '../../../src/formats/files/memory-files';
import { PEFT_CONFIG, PEFT_WEIGHTS, peftTensors, readPeft, writePeft } from '../../../src/formats/hf/peft';
import { writeSafetensors } from '../../../src/formats/hf/safetensors';

const module = 'model.layers.0.self_attn.q_proj';
const targets = [
  { name: module, inFeatures: 4, outFeatures: 6 },
  { name: 'model.layers.0.mlp.up_proj', inFeatures: 4, outFeatures: 8 },
];
const a = Float32Array.from({ length: 8 }, (_, i) => i);
const b = Float32Array.from({ length: 12 }, (_, i) => -i);
const settings = { r: 2, lora_alpha: 6, target_modules: ['q_proj'], base_model: 'someone/model' };
const written = () => writePeft(settings, peftTensors([[module, { a, b }]], 2));

const changed = (config: object, tensors = peftTensors([[module, { a, b }]], 2)) => {
  const files = written();
  const before = JSON.parse(new TextDecoder().decode(files.get(PEFT_CONFIG))) as object;
  files.set(PEFT_CONFIG, new TextEncoder().encode(JSON.stringify({ ...before, ...config })));
  files.set(PEFT_WEIGHTS, writeSafetensors(tensors));
  return readPeft(mapFiles('adapter', files), targets);
};

it('reads what it has written', async () => {
  const { modules } = await readPeft(mapFiles('adapter', written()), targets);
  expect([...modules]).toEqual([[module, { rank: 2, scale: 3, a, b }]]);
});

it('takes r and alpha from the patterns that a name ends on, and rank-stabilised scales', async () => {
  const scale = async (config: object) => (await changed(config)).modules.get(module)!.scale;
  expect(await scale({ use_rslora: true })).toBeCloseTo(6 / Math.sqrt(2));
  expect(await scale({ r: 7, rank_pattern: { q_proj: 2 } })).toBe(3);
  expect(await scale({ alpha_pattern: { 'layers.0.*q_proj': 1, q_proj: 5 } })).toBe(0.5);
  expect(await scale({ alpha_pattern: { proj: 1, '^q_proj': 1 } })).toBe(3);
});

it.each([
  [{ use_dora: true }, /use_dora true is not supported/],
  [{ peft_type: 'IA3' }, /peft_type "IA3" is not supported/],
  [{ bias: 'all' }, /bias "all" is not supported/],
  [{ modules_to_save: ['lm_head'] }, /modules_to_save \["lm_head"\]/],
  [{ fan_in_fan_out: true }, /fan_in_fan_out true/],
  [{ r: 3 }, /A and B of .*q_proj are \[2,4\] and \[6,2\], not \[3, 4\] and \[6, 3\]/],
  [{ r: 0 }, /r must be a whole number/],
  [{ lora_alpha: null }, /lora_alpha must be a number/],
  [{ rank_pattern: { '(': 2 } }, /is not a pattern/],
  [{ rank_pattern: { '(\\w+_?)+x': 2 } }, /could run for hours/],
  [{ alpha_pattern: { '(a|a)*b': 2 } }, /could run for hours/],
  [{ alpha_pattern: { '.*.*.*.*.*.*.*.*!': 2 } }, /could run for hours/],
])('refuses %j', async (config, message) => {
  await expect(changed(config)).rejects.toThrow(message);
});

it('accepts an empty list of modules to save', async () => {
  expect((await changed({ modules_to_save: [] })).modules.size).toBe(1);
});

it('refuses tensors that are not the model’s', async () => {
  const [first, second] = peftTensors([[module, { a, b }]], 2);
  await expect(changed({}, [])).rejects.toThrow(/adapts nothing/);
  await expect(changed({}, [first!])).rejects.toThrow(/A and B of .* are \[2,4\] and \[undefined\]/);
  await expect(changed({}, [second!])).rejects.toThrow(/a B but no A/);
  await expect(changed({}, peftTensors([['lm_head', { a, b }]], 2))).rejects.toThrow(/adapts lm_head, which is not/);
  const embedding = { ...first!, name: 'base_model.model.model.embed_tokens.lora_embedding_A' };
  await expect(changed({}, [embedding])).rejects.toThrow(/is not a LoRA's A or B/);
});

it('says what is missing or damaged', async () => {
  const files = written();
  await expect(readPeft(mapFiles('here', new Map()), targets)).rejects.toThrow(/here has no adapter_config.json/);
  files.set(PEFT_WEIGHTS, files.get(PEFT_WEIGHTS)!.subarray(0, 20));
  await expect(readPeft(mapFiles('here', files), targets)).rejects.toThrow(/adapter_model.safetensors: .*cut short/);
  files.delete(PEFT_WEIGHTS);
  await expect(readPeft(mapFiles('here', files), targets)).rejects.toThrow(/here has no adapter_model.safetensors/);
  files.set(PEFT_CONFIG, new TextEncoder().encode('{'));
  await expect(readPeft(mapFiles('here', files), targets)).rejects.toThrow(/is not JSON/);
});
