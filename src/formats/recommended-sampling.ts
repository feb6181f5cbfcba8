/** @file Sampling settings that the makers of a model recommend. */
export interface RecommendedSampling {
  temperature?: number;
  top_p?: number;
  top_k?: number;
  min_p?: number;
  repetition_penalty?: number;
}

/** What the model card of DeepSeek R1 recommends. It holds for R1's distillations too. */
export const R1_SAMPLING = { temperature: 0.6, top_p: 0.95 } as const satisfies RecommendedSampling;
