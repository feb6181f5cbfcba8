/** @file A prompt's group of completions as it is shown, stored and exported: what one prompt of a step came to. */

export interface Completion {
  text: string;
  token_ids: number[];
  /** The text of each token, so that a viewer needs no tokenizer. */
  tokens: string[];
  /** Log-probability of each token under the policy that sampled it, at the sampling temperature. */
  logprobs: number[];
  /** The same tokens after the step's update; absent unless `log_probability_change`. */
  logprobs_after?: number[];
  /** Unweighted value of each reward function; null where the function gave none. */
  rewards: Record<string, number | null>;
  /** Weighted sum. */
  reward: number;
  advantage: number;
  truncated: boolean;
  /** How it thinks: one of the answer styles of src/tasks/answer.ts. */
  style: string;
}

export interface Group {
  prompt: string;
  answer: string;
  /** Mean and Bessel-corrected standard deviation of the group's rewards. */
  mean: number;
  std: number;
  completions: Completion[];
}
