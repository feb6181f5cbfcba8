/**
 * @file LoRA adapters as PEFT (github.com/huggingface/peft) keeps them: a folder of adapter_config.json and
 * adapter_model.safetensors. Whatever would change the arithmetic and isn't implemented is refused by name.
 */
import { messageOf } from '../../base/errors';
import { parsePythonJson } from '../../base/python-json';
import { regexCost } from '../../base/regex/regex-cost';
import type { ModelFiles } from '../files/model-files';
import { readWhole } from '../files/whole-file';
import { readSafetensors, SafetensorsError, toFloat32, writeSafetensors } from './safetensors';

/** An adapter that can't be read, or that this engine doesn't compute. */
export class PeftError extends Error {
  override name = 'PeftError';
}

/** One module's matrices: x ↦ scale · (x Aᵀ) Bᵀ. */
export interface PeftModule {
  rank: number;
  /** alpha / r, or alpha / √r with use_rslora. */
  scale: number;
  /** [rank, inFeatures] */
  a: Float32Array<ArrayBuffer>;
  /** [outFeatures, rank] */
  b: Float32Array<ArrayBuffer>;
}

export interface PeftAdapter {
  /** For messages. */
  name: string;
  /** By the module's name in the model: `model.layers.0.self_attn.q_proj`. */
  modules: Map<string, PeftModule>;
}

export const PEFT_CONFIG = 'adapter_config.json';
export const PEFT_WEIGHTS = 'adapter_model.safetensors';
const PREFIX = 'base_model.model.';
const LORA_TENSOR = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/;

type Json = Record<string, unknown>;

/** What must have this value, or not be there: everything else would be another computation. */
const accepted: Record<string, readonly unknown[]> = {
  peft_type: ['LORA'],
  bias: ['none', undefined],
  fan_in_fan_out: [false, undefined],
  use_dora: [false, undefined],
  use_qalora: [false, undefined],
  lora_bias: [false, undefined],
  modules_to_save: [null, undefined],
  layer_replication: [null, undefined],
  trainable_token_indices: [null, undefined],
  target_parameters: [null, undefined],
  alora_invocation_tokens: [null, undefined],
  use_bdlora: [null, false, undefined],
  arrow_config: [null, undefined],
  kasa_config: [null, undefined],
  velora_config: [null, undefined],
  monteclora_config: [null, undefined],
};

/**
 * Reads an adapter's folder.
 * @param targets the modules of the model that can have an adapter, with the sizes of their weights
 * @throws PeftError with a message for the user
 */
export async function readPeft(
  source: ModelFiles,
  targets: readonly { name: string; inFeatures: number; outFeatures: number }[],
): Promise<PeftAdapter> {
  const config = await readConfig(source);
  const weights = await readFileWhole(source, PEFT_WEIGHTS);
  if (!weights) throw new PeftError(`${source.name} has no ${PEFT_WEIGHTS}`);
  const { tensors } = inFile(() => readSafetensors(weights));
  const known = new Map(targets.map((target) => [target.name, target]));
  const patterns = { rank: modulePatterns(config, 'rank_pattern'), alpha: modulePatterns(config, 'alpha_pattern') };
  const modules = new Map<string, PeftModule>();
  for (const name of tensors.keys()) {
    const [, module, matrix] = LORA_TENSOR.exec(name) ?? [];
    if (!module) throw new PeftError(`${source.name}: tensor ${name} is not a LoRA's A or B`);
    const target = known.get(module);
    if (!target) throw new PeftError(`${source.name} adapts ${module}, which is not a linear layer of this model`);
    if (matrix === 'B') {
      if (!tensors.has(name.replace('lora_B', 'lora_A')))
        throw new PeftError(`${source.name} has a B but no A of ${module}`);
      continue;
    }
    const a = tensors.get(name)!;
    const b = tensors.get(name.replace('lora_A', 'lora_B'));
    const { rank, alpha } = ranksOf(config, patterns, module);
    const fits = (shape: readonly number[] | undefined, ...wanted: number[]) => String(shape) === String(wanted);
    if (!b || !fits(a.shape, rank, target.inFeatures) || !fits(b.shape, target.outFeatures, rank)) {
      const wanted = `[${rank}, ${target.inFeatures}] and [${target.outFeatures}, ${rank}]`;
      throw new PeftError(
        `${source.name}: A and B of ${module} are [${String(a.shape)}] and [${String(b?.shape)}], not ${wanted}`,
      );
    }
    const scale = alpha / (config.use_rslora === true ? Math.sqrt(rank) : rank);
    modules.set(module, { rank, scale, a: toFloat32(a), b: toFloat32(b) });
  }
  if (modules.size === 0) throw new PeftError(`${source.name} adapts nothing`);
  return { name: source.name, modules };
}

export interface PeftSettings {
  r: number;
  lora_alpha: number;
  /** Of modules, as PEFT wants them: `q_proj`. */
  target_modules: readonly string[];
  /** A name on the Hub, or a path. */
  base_model: string;
}

/** An adapter's folder, as files by path; PEFT's `PeftModel.from_pretrained` opens it. */
export function writePeft(
  { r, lora_alpha, target_modules, base_model }: PeftSettings,
  tensors: readonly { name: string; shape: readonly number[]; data: Float32Array }[],
): Map<string, Uint8Array<ArrayBuffer>> {
  const config = {
    base_model_name_or_path: base_model,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r,
    target_modules: [...target_modules],
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: false,
  };
  return new Map([
    [PEFT_CONFIG, new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)],
    [PEFT_WEIGHTS, writeSafetensors(tensors)],
  ]);
}

/**
 * Any adapter's folder. Modules of different ranks and scales become PEFT's `rank_pattern` and `alpha_pattern`.
 * @param base_model a name on the Hub, or a path
 */
export function writeAdapter({ modules }: PeftAdapter, base_model: string): Map<string, Uint8Array<ArrayBuffer>> {
  const all = [...modules];
  const r = Math.max(...all.map(([, { rank }]) => rank));
  const files = writePeft(
    { r, lora_alpha: r, target_modules: [...new Set(all.map(([name]) => name.split('.').at(-1)!))], base_model },
    all.flatMap(([name, { a, b, rank }]) => peftTensors([[name, { a, b }]], rank)),
  );
  const config = JSON.parse(new TextDecoder().decode(files.get(PEFT_CONFIG))) as Json;
  const patterns = {
    rank_pattern: Object.fromEntries(all.map(([name, { rank }]) => [name, rank])),
    alpha_pattern: Object.fromEntries(all.map(([name, { rank, scale }]) => [name, scale * rank])),
  };
  files.set(PEFT_CONFIG, new TextEncoder().encode(`${JSON.stringify({ ...config, ...patterns }, null, 2)}\n`));
  return files;
}

/** The adapter that adds what both add: its ranks are the sums of theirs. */
export function stackAdapters(first: PeftAdapter, second: PeftAdapter): PeftAdapter {
  const modules = new Map(first.modules);
  for (const [name, added] of second.modules) {
    const there = modules.get(name);
    modules.set(name, there ? stackModules(there, added) : added);
  }
  return { name: second.name, modules };
}

/** Scales go into B, since they may differ. */
function stackModules(x: PeftModule, y: PeftModule): PeftModule {
  const rank = x.rank + y.rank;
  const rows = x.b.length / x.rank;
  const a = new Float32Array(x.a.length + y.a.length);
  a.set(x.a);
  a.set(y.a, x.a.length);
  const b = new Float32Array(rows * rank);
  for (let row = 0; row < rows; row++) {
    for (let r = 0; r < x.rank; r++) b[row * rank + r] = x.scale * x.b[row * x.rank + r]!;
    for (let r = 0; r < y.rank; r++) b[row * rank + x.rank + r] = y.scale * y.b[row * y.rank + r]!;
  }
  return { rank, scale: 1, a, b };
}

/**
 * An adapter out of tensors under PEFT's names.
 * @param scale of every module: alpha / r
 * @throws PeftError for a tensor that is not a LoRA's A or B, or one without its partner
 */
export function adapterOfTensors(
  name: string,
  tensors: readonly { name: string; shape: readonly number[]; data: Float32Array }[],
  scale: number,
): PeftAdapter {
  const parts = new Map<string, { A?: Float32Array<ArrayBuffer>; B?: Float32Array<ArrayBuffer>; rank?: number }>();
  for (const tensor of tensors) {
    const [, module, matrix] = LORA_TENSOR.exec(tensor.name) ?? [];
    if (!module) throw new PeftError(`${name}: tensor ${tensor.name} is not a LoRA's A or B`);
    const part = parts.get(module) ?? {};
    part[matrix as 'A' | 'B'] = new Float32Array(tensor.data);
    if (matrix === 'A') part.rank = tensor.shape[0]!;
    parts.set(module, part);
  }
  const modules = [...parts].map(([module, { A: a, B: b, rank }]): [string, PeftModule] => {
    if (!a || !b || !rank) throw new PeftError(`${name} has only one of A and B of ${module}`);
    return [module, { rank, scale, a, b }];
  });
  return { name, modules: new Map(modules) };
}

/** A module's A and B under PEFT's names. */
export function peftTensors(
  modules: Iterable<readonly [name: string, { a: Float32Array; b: Float32Array }]>,
  rank: number,
): { name: string; shape: number[]; data: Float32Array }[] {
  return [...modules].flatMap(([name, { a, b }]) => [
    { name: `${PREFIX}${name}.lora_A.weight`, shape: [rank, a.length / rank], data: a },
    { name: `${PREFIX}${name}.lora_B.weight`, shape: [b.length / rank, rank], data: b },
  ]);
}

/** In rank_pattern or alpha_pattern: more than a large model has modules. */
const MAX_PATTERNS = 10_000;

/** Larger than any adapter. */
const MAX_BYTES = 2 ** 31;

async function readFileWhole(source: ModelFiles, path: string): Promise<Uint8Array<ArrayBuffer> | null> {
  const file = await source.open(path);
  return file && readWhole(file, MAX_BYTES);
}

async function readConfig(source: ModelFiles): Promise<Json> {
  const bytes = await readFileWhole(source, PEFT_CONFIG);
  if (!bytes) throw new PeftError(`${source.name} has no ${PEFT_CONFIG}: it is not a PEFT adapter`);
  let config: unknown;
  try {
    config = parsePythonJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new PeftError(`${PEFT_CONFIG} is not JSON: ${messageOf(error)}`);
  }
  if (!isObject(config)) throw new PeftError(`${PEFT_CONFIG} is not a JSON object`);
  for (const [key, values] of Object.entries(accepted)) {
    const isEmpty = Array.isArray(config[key]) && config[key].length === 0 && values.includes(null);
    if (!isEmpty && !values.includes(config[key])) {
      const wanted = values.filter((value) => value !== undefined).map((value) => JSON.stringify(value));
      throw new PeftError(
        `${PEFT_CONFIG}: ${key} ${JSON.stringify(config[key])} is not supported, only ${wanted.join(' or ')}`,
      );
    }
  }
  return config;
}

/** rank_pattern or alpha_pattern: what a module has whose name a pattern matches. */
type ModulePatterns = readonly { pattern: RegExp; value: unknown }[];

function modulePatterns(config: Json, key: 'rank_pattern' | 'alpha_pattern'): ModulePatterns {
  const patterns = config[key];
  if (!isObject(patterns)) return [];
  const all = Object.entries(patterns);
  if (all.length > MAX_PATTERNS) throw new PeftError(`${PEFT_CONFIG}: ${all.length} patterns in ${key} are too many`);
  return all.map(([source, value]) => ({ pattern: modulePattern(source), value }));
}

/**
 * PEFT's rule: the pattern is a regular expression for the name, or for its end behind a dot.
 * @throws PeftError for one that can't be read, or that would take ages
 */
function modulePattern(source: string): RegExp {
  const named = JSON.stringify(source.slice(0, 100));
  try {
    if (regexCost(new RegExp(`(?:${source})`), true) === 'linear') return new RegExp(`^(?:.*\\.)?(?:${source})$`);
  } catch {
    throw new PeftError(`${PEFT_CONFIG}: ${named} is not a pattern that can be read`);
  }
  throw new PeftError(`${PEFT_CONFIG}: the pattern ${named} could run for hours, so this adapter isn't used`);
}

/** r and alpha of a module: its own, by the first pattern that its name ends on, or everyone's. */
function ranksOf(
  config: Json,
  patterns: { rank: ModulePatterns; alpha: ModulePatterns },
  module: string,
): { rank: number; alpha: number } {
  const own = (all: ModulePatterns) => all.find(({ pattern }) => pattern.test(module))?.value;
  const rank = own(patterns.rank) ?? config.r;
  const alpha = own(patterns.alpha) ?? config.lora_alpha;
  if (typeof rank !== 'number' || !Number.isInteger(rank) || rank < 1) {
    throw new PeftError(`${PEFT_CONFIG}: r must be a whole number from 1, not ${JSON.stringify(rank)}`);
  }
  if (typeof alpha !== 'number' || !Number.isFinite(alpha)) {
    throw new PeftError(`${PEFT_CONFIG}: lora_alpha must be a number, not ${JSON.stringify(alpha)}`);
  }
  return { rank, alpha };
}

function inFile<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SafetensorsError)) throw error;
    throw new PeftError(`${PEFT_WEIGHTS}: ${error.message}`, { cause: error });
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The model that an adapter was made for, as its config names it. @throws PeftError */
export async function baseOfAdapter(source: ModelFiles): Promise<string> {
  const base = (await readConfig(source)).base_model_name_or_path;
  if (typeof base !== 'string' || base === '') {
    throw new PeftError(`${PEFT_CONFIG} does not say which model the adapter belongs to (base_model_name_or_path)`);
  }
  return base;
}
