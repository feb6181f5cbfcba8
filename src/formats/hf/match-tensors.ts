/** @file Whether stored tensors are the parameters that a config implies, all of them and no others. */
import type { DecoderConfig } from './hf-config';
import { parameterShapes } from './architecture';

/** A model that is incomplete, corrupt or contradicts itself; the message names the file or tensor. */
export class ModelFolderError extends Error {
  override name = 'ModelFolderError';
}

/** Written by some exporters beside the parameters; they hold nothing that the config doesn't say. */
const IGNORED = /\.rotary_emb\.inv_freq$|\.masked_bias$/;

/**
 * The tensors of `parameterShapes(config)`, in its order.
 * @throws ModelFolderError for a tensor that is missing, misshapen or not implied
 */
export function matchTensors<T extends { shape: readonly number[] }>(
  config: DecoderConfig,
  stored: ReadonlyMap<string, T>,
): Map<string, T> {
  const matched = new Map<string, T>();
  for (const { name, shape } of parameterShapes(config)) {
    const tensor = stored.get(name);
    if (!tensor) throw new ModelFolderError(`the weights have no tensor ${name}, which config.json implies`);
    checkShape(name, tensor.shape, shape);
    matched.set(name, tensor);
  }
  // PyTorch's own writer leaves a tied head out; other exporters write it although it is the embedding.
  const tied = config.tie_word_embeddings ? 'lm_head.weight' : null;
  const extra = [...stored.keys()].find((name) => !matched.has(name) && name !== tied && !IGNORED.test(name));
  if (extra !== undefined) {
    throw new ModelFolderError(`the weights have a tensor ${extra} that config.json doesn't imply`);
  }
  return matched;
}

/** @throws ModelFolderError with both shapes */
export function checkShape(name: string, actual: readonly number[], expected: readonly number[]): void {
  if (actual.length === expected.length && actual.every((size, i) => size === expected[i])) return;
  throw new ModelFolderError(`tensor ${name} has shape [${actual.join(', ')}], expected [${expected.join(', ')}]`);
}
