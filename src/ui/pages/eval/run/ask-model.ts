/** @file Asks one model everything that it has not answered yet. */
import type { Answer } from '../../../../eval/evaluation';
import { evaluateMissing, type Slot } from '../../../../eval/evaluator';
import { bareMessages, type EvalProblem } from '../../../../eval/problem-set';
import { isServerModel } from '../../../../runs/model-id';
import type { SamplingSettings } from '../../../../storage/conversation';
import type { EvaluatedModel, EvaluationRun } from '../../../../storage/evaluation-storage';
import type { OpenChatModel } from '../../chat/models/open-models.svelte';
import { recommendedSettings } from '../../chat/settings/sampling';

export interface Question {
  chatModel: OpenChatModel;
  model: EvaluatedModel;
  run: EvaluationRun;
  problems: readonly EvalProblem[];
  settings: SamplingSettings;
  isDone: (slot: Slot) => boolean;
  onAnswer: (slot: Slot, answer: Answer) => Promise<void>;
  /** Called for each token with its text, which may be empty, and anything its server had to say. */
  onToken: (text: string, notice: string | undefined) => void;
  /** Called for each answer that failed. */
  onFailure: (error: unknown) => void;
}

/** @throws Error with a message for the user, or DOMException AbortError */
export async function askModel(question: Question, signal: AbortSignal): Promise<void> {
  const { chatModel, model, run, problems, settings } = question;
  await evaluateMissing(
    chatModel,
    {
      problems,
      k: run.k,
      request: settings,
      messages: model.toy ? bareMessages : ({ messages }) => messages,
      // On this device, one answer after the other is fastest.
      pace: isServerModel(model.id) ? run.pace : { concurrency: 1, per_minute: null },
      isDone: question.isDone,
      onAnswer: question.onAnswer,
      onToken: ({ text, notice }) => question.onToken(text, notice),
      onFailure: (_, error) => question.onFailure(error),
    },
    signal,
  );
}

/** The settings of an earlier attempt, or those that the user chose over those that the model's makers recommend. */
export function samplingSettings(
  { label, toy, settings: earlier }: EvaluatedModel,
  { sampling }: OpenChatModel,
  run: Pick<EvaluationRun, 'sampling' | 'seed'>,
): SamplingSettings {
  const recommended = recommendedSettings({ label, toy, ...(sampling && { sampling }) });
  const { temperature, top_p, max_tokens } = run.sampling;
  return {
    ...recommended,
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { top_p }),
    ...(max_tokens !== undefined && { max_tokens }),
    seed: run.seed,
    ...earlier,
  };
}
