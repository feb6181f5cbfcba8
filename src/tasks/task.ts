/** @file What a toy task is: a problem generator with a difficulty dial, an exact verifier, a trace writer. */
import type { Rng } from '../base/rng';

export interface Problem {
  /** What the model is shown after <bos>, for example `12+7-30=`. */
  prompt: string;
  /** One correct answer. A task may accept others: see `Task.verify`. */
  answer: string;
  /** The worked solution, in order; the last step yields the answer. */
  steps: { expression: string; value: string }[];
}

/** How a completion spells out its thinking. `unformatted` is what no trace writer writes on purpose but `bare`. */
export type TraceStyle = 'bare' | 'direct' | 'partial' | 'full' | 'check';

export interface Task {
  /**
   * How to answer, for a task that is asked through a model's chat template: of models that can read and have learned to
   * follow. Without it, the prompt alone is what the model sees.
   */
  instruction?: string;
  /** Key in the registry, in configs and in URLs. */
  name: string;
  title: string;
  /** One sentence for the page. */
  description: string;
  /** Integer dial; `describe` says in a few words what a setting means. */
  difficulty: { min: number; max: number; default: number; describe(level: number): string };
  generate(rng: Rng, difficulty: number): Problem;
  /** Whether `answer` (the text between the answer tags, hostile) solves the problem. Exact, never throws, never evals. */
  verify(problem: Problem, answer: string): boolean;
  /** The answer to a problem that a person typed, such as `1+2=`; null where it is no problem of this task. */
  solve?(prompt: string): string | null;
  /** Styles that `trace` can write for this task. */
  styles: readonly TraceStyle[];
  /** A completion in a style, tags included, without end-of-sequence token. */
  trace(rng: Rng, problem: Problem, style: TraceStyle): string;
}
