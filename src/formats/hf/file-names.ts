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
