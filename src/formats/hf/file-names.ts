/** @file The names of the files that make up a model in Hugging Face's format. */

/** Config and tokenizer: what is read besides the weights. */
export const TEXT_FILES = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
] as const;
export const WEIGHTS = 'model.safetensors';
export const WEIGHTS_INDEX = 'model.safetensors.index.json';

/** Whether a file of this path is needed to open the model. */
export const isModelFile = (path: string): boolean =>
  (TEXT_FILES as readonly string[]).includes(path) ||
  path === WEIGHTS_INDEX ||
  (path.endsWith('.safetensors') && !path.includes('/'));

/** Larger than any config, tokenizer or index. */
export const MAX_TEXT_BYTES = 64 << 20;
const ADAPTER_FILES = ['adapter_config.json', 'adapter_model.safetensors'];

/** The most bytes that a file of a zipped model or adapter may have; 0 for what isn't part of one, such as a README. */
export function maxModelFileBytes(name: string): number {
  if (name.endsWith('.safetensors')) return 2 ** 31;
  return isModelFile(name) || ADAPTER_FILES.includes(name) ? MAX_TEXT_BYTES : 0;
}
