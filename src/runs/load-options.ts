/** @file How a large model is loaded onto the GPU. */

export interface LoadOptions {
  /** Weights are quantised while they are loaded, or kept. */
  quant?: 'as stored' | 'f16' | 'q8_0' | 'q4_0';
  /** The key–value cache's type. */
  cache?: 'f32' | 'f16' | 'q8';
  /** Tokens that the cache has room for. */
  context?: number;
}

/** Bytes of weights on the GPU so far, and in the end. */
export interface LoadProgress {
  bytes: number;
  total: number;
}
