/**
 * @file Evaluates a model on a task's held-out problems: a model of the tasks' own characters in batches, as training does;
 * any other through its chat template, one answer after another.
 */
import { evaluateChatModel, summarise, type Answered } from '../eval/evaluation';
import { tokenizerOf, type Model } from '../formats/model';
import type { Gpu } from '../gpu/gpu';
import type { RunConfig } from '../rl/config';
import { readsLanguage } from '../rl/prompt';
import { defaultRunConfig } from '../runs/config';
import { getTask } from '../tasks';
import { openChatModel, openTraining, type OpenChatOptions } from './open';

export interface EvaluationSettings {
  task: string;
  difficulty: number;
  /** Problems, and answers to each. */
  n: number;
  k: number;
  seed: number;
  /** What the model's makers recommend when left out, or 1. */
  temperature?: number;
  /** Long enough for the model's kind of answer when left out. */
  max_tokens?: number;
}

export interface ModelEvaluation {
  /** `eval_` names. */
  metrics: Record<string, number>;
  samples: { prompt: string; answer: string; text: string; correct: boolean }[];
}

/** A reasoning model needs room for its thoughts. */
const REASONING_TOKENS = 2048;
/** Answers that are sampled side by side. */
const BATCH = 256;
const SHOWN = 8;

/**
 * Takes over the device.
 * @param onProblem called after each problem where they are asked one after another
 */
export async function evaluateModel(
  gpu: Gpu,
  model: Model,
  settings: EvaluationSettings,
  options: OpenChatOptions & { onProblem?: (answered: Answered, done: number) => void } = {},
): Promise<ModelEvaluation> {
  return readsLanguage(tokenizerOf(model))
    ? evaluateByChat(gpu, model, settings, options)
    : evaluateInBatches(gpu, model, settings);
}

async function evaluateInBatches(gpu: Gpu, model: Model, settings: EvaluationSettings): Promise<ModelEvaluation> {
  const { task, difficulty, n, k, seed, temperature = 1, max_tokens } = settings;
  const group = Math.max(2, k);
  const config: RunConfig = {
    ...defaultRunConfig,
    ...{ task, difficulty, seed, temperature },
    eval_problems: n,
    max_completion_length: max_tokens ?? defaultRunConfig.max_completion_length,
    num_generations: group,
    num_prompts: Math.max(1, Math.floor(BATCH / group)),
  };
  const { grpo } = await openTraining(gpu, model, config);
  return grpo.evaluate(0, k);
}

async function evaluateByChat(
  gpu: Gpu,
  model: Model,
  settings: EvaluationSettings,
  { onProblem, ...options }: OpenChatOptions & { onProblem?: (answered: Answered, done: number) => void },
): Promise<ModelEvaluation> {
  const { n, k, seed, difficulty, max_tokens = REASONING_TOKENS } = settings;
  const chat = await openChatModel(gpu, model, options);
  const { temperature = 1, top_p = 1, top_k = 0, min_p = 0, repetition_penalty = 1 } = model.sampling;
  const request = {
    ...{ temperature: settings.temperature ?? temperature, top_p, top_k, min_p, repetition_penalty },
    max_tokens,
  };
  const task = getTask(settings.task);
  const results: Answered[] = [];
  const signal = options.signal ?? new AbortController().signal;
  for await (const answered of evaluateChatModel(chat, { task, difficulty, n, k, seed, request }, signal)) {
    results.push(answered);
    onProblem?.(answered, results.length);
  }
  const { interval, ...numbers } = summarise(results);
  const [low, high] = interval;
  return {
    metrics: {
      eval_accuracy: numbers.pass_at_1,
      'eval_accuracy/low': low,
      'eval_accuracy/high': high,
      [`eval_pass@${k}`]: numbers.pass_at_k,
      eval_majority: numbers.majority,
      eval_mean_length: numbers.mean_tokens,
      eval_mean_thought_length: numbers.mean_thought_tokens,
      eval_truncated: numbers.truncated,
    },
    samples: results.slice(0, SHOWN).map(({ problem, answers }) => ({
      prompt: problem.prompt,
      answer: problem.answer,
      text: answers[0]!.text,
      correct: answers[0]!.correct,
    })),
  };
}
