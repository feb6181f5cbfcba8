/** @file How well a model does on held-out problems: accuracy, length, truncation, and the styles it answers in. */
import type { TextTokenizer } from '../formats/text/tokenizer';
import type { Sample } from '../model/decode/group-sampler';
import { heldOutProblem } from '../tasks/problems';
import type { Task } from '../tasks/task';
import { COMPLETION_STYLES } from '../tasks/answer';
import type { RunConfig } from './config';
import { taskPrompt } from './prompt';
import { scoreCompletion } from './rewards';
import type { EvaluationResult } from './step-result';
import type { TokenTexts } from './token-texts';

export interface EvaluationParts {
  task: Task;
  config: Pick<RunConfig, 'difficulty' | 'max_completion_length' | 'reward_funcs' | 'reward_weights'>;
  tokenizer: TextTokenizer;
  texts: TokenTexts;
  /** Held-out problems. */
  problems: number;
  /** Samples for each prompt, the same number k for all. */
  generate(prompts: number[][]): Promise<Sample[][]>;
}

const SHOWN = 8;

/**
 * `eval_` metrics over all samples; with k > 1 samples a problem, eval_pass@k too: the unbiased estimate that at least one
 * of k is right is here, with all samples used, simply the share of problems with a right one.
 */
export async function evaluate(parts: EvaluationParts): Promise<EvaluationResult> {
  const { task, config, tokenizer, texts } = parts;
  const { difficulty, max_completion_length } = config;
  const problems = Array.from({ length: parts.problems }, (_, i) => heldOutProblem(task, difficulty, i));
  const answers = await parts.generate(problems.map((problem) => taskPrompt(tokenizer, task, problem)));
  const k = answers[0]?.length ?? 1;
  const count = problems.length * k;
  const totals = { correct: 0, solved: 0, reward: 0, length: 0, truncated: 0 };
  const styles = Object.fromEntries(COMPLETION_STYLES.map((style) => [style, { count: 0, correct: 0 }]));
  const samples: EvaluationResult['samples'] = [];
  problems.forEach((problem, i) => {
    let solved = false;
    for (const { ids, truncated } of answers[i]!) {
      const text = texts.whole(truncated ? ids : ids.slice(0, -1));
      const completion = { task, problem, text, length: ids.length, truncated, max_completion_length };
      const { parsed, correct, reward } = scoreCompletion(completion, config);
      totals.correct += Number(correct);
      totals.reward += reward ?? 0;
      totals.length += ids.length;
      totals.truncated += Number(truncated);
      const style = styles[parsed.style]!;
      style.count++;
      style.correct += Number(correct);
      solved ||= correct;
      if (samples.length < SHOWN) samples.push({ prompt: problem.prompt, answer: problem.answer, text, correct });
    }
    totals.solved += Number(solved);
  });
  const metrics: Record<string, number> = {
    eval_accuracy: totals.correct / count,
    eval_reward: totals.reward / count,
    eval_mean_length: totals.length / count,
    eval_truncated: totals.truncated / count,
  };
  if (k > 1) metrics[`eval_pass@${k}`] = totals.solved / problems.length;
  for (const [style, { count: n, correct }] of Object.entries(styles)) {
    metrics[`eval_style/${style}`] = n / count;
    if (n > 0) metrics[`eval_style_accuracy/${style}`] = correct / n;
  }
  return { metrics, samples };
}
