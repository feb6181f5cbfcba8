/** @file How much GPU memory a model takes when it is opened, for those who look at it before they download it. */
import type { DecoderConfig } from '../formats/hf/hf-config';
import type { StoredType } from '../formats/gguf/stored-types';
import { planWeights } from '../model/infer/weight-plan';
import type { LoadOptions } from './load-options';

/** The context that a model is opened with when nobody asks for more. */
const USUAL_CONTEXT = 4096;
/** Keys and values are kept in f16. */
const CACHE_BYTES = 2;

/**
 * Bytes of a model's weights on the GPU and of its key–value cache for a context of the usual length. The working memory
 * beside them is some tens of megabytes.
 * @param stored the type that most of its weights are stored in
 */
export function modelMemory(config: DecoderConfig, stored: StoredType, quant: LoadOptions['quant']): number {
  const as = quant === undefined || quant === 'stored' ? 'stored' : quant;
  const context = Math.min(config.max_position_embeddings, USUAL_CONTEXT);
  const keysAndValues = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim;
  return planWeights(config, () => stored, as).bytes + CACHE_BYTES * keysAndValues * context;
}
