/** @file What a reward function is. */
import type { ParsedCompletion } from '../../tasks/answer';
import type { Problem, Task } from '../../tasks/task';

export interface SampledCompletion {
  task: Task;
  problem: Problem;
  /** Decoded, special tokens written out, without `<eos>`. */
  text: string;
  /** Number of sampled tokens, `<eos>` included. */
  length: number;
  /** Ended by the length limit rather than by `<eos>`. */
  truncated: boolean;
  max_completion_length: number;
}

export interface RewardContext extends SampledCompletion {
  /** A truncated completion is never `formatted`. */
  parsed: ParsedCompletion;
  /** Whether the answer was found and is right. */
  correct: boolean;
}

export interface Reward {
  /** Key in `reward_funcs`, in metrics (`rewards/<name>/mean`), in links and in `--reward-<name>`. */
  name: string;
  /** For the settings form. */
  label: string;
  /** For a run's automatic name. */
  short: string;
  /** What it rewards, in one sentence. */
  help: string;
  /** Weight in a new run; 0 measures the reward without rewarding anything. */
  defaultWeight: number;
  /** The weights worth trying, for a slider. */
  usualWeights: readonly [min: number, max: number];
  /** The unweighted value; null or NaN where it gives none, as in TRL. */
  score(context: RewardContext): number | null;
}
