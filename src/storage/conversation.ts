/**
 * @file A conversation as it is saved: a tree of questions and answers, in which nothing is ever overwritten. A question
 * belongs to the answer before it (null for the first one), an answer to its question. With two models side by side each
 * has a column, and the next question belongs to the answer in column 0.
 */
import { t } from '../i18n';
import type { Alternative, ContextUse, GenerateRequest } from '../runs/chat-model';
import type { ThoughtSize } from '../tasks/answers/thought-meter';
import type { Problem } from '../tasks/task';

/** All sampling settings of a request. */
export type SamplingSettings = Required<Omit<GenerateRequest, 'messages' | 'prefix' | 'top_logprobs'>>;

export interface UserTurn {
  id: string;
  role: 'user';
  parent: string | null;
  text: string;
  /** Milliseconds since 1970. */
  created: number;
  /** The problem that the question is, when it is one of the examples, so that answers can be checked. */
  example: { task: string; problem: Problem } | null;
}

export interface TokenRecord {
  text: string;
  logprob: number | null;
  /** The most likely tokens at this position, most likely first; only if they were requested. */
  top?: Alternative[];
}

export type Column = 0 | 1;

export interface AnswerTurn {
  id: string;
  role: 'assistant';
  parent: string;
  column: Column;
  created: number;
  model: { id: string; label: string };
  settings: SamplingSettings;
  /** The text as the model wrote it, with thinking and tags. */
  text: string;
  tokens: TokenRecord[];
  status: 'streaming' | 'done' | 'length' | 'stopped' | 'failed';
  /** A message for the user if it failed, otherwise empty. */
  error: string;
  /** Notices from the model, each once. */
  notices: string[];
  thought: ThoughtSize | null;
  stats: AnswerStats;
  verdict: Verdict | null;
}

export type Turn = UserTurn | AnswerTurn;

export interface Conversation {
  id: string;
  /** The name that the user gave it; null shows the first question instead. */
  name: string | null;
  created: number;
  updated: number;
  /** System prompt; not sent when it is empty. */
  system: string;
  /** By id, in the order in which they were added. */
  turns: Record<string, Turn>;
  /** Which of several versions is shown, by slot (see the chat's conversation.ts); otherwise the latest. */
  chosen: Record<string, string>;
}

/** What an answer cost. */
export interface AnswerStats {
  /** All tokens written, continuations included. */
  tokens: number;
  /** Milliseconds from the first request to the first token; null before it arrives. */
  first_ms: number | null;
  /** Tokens that arrived after the first delivery of each request, and the milliseconds they took. */
  decode_tokens: number;
  decode_ms: number;
  /** Milliseconds from request to last token, summed over all requests. */
  total_ms: number;
  context: ContextUse | null;
  /** How many of `tokens` are already counted in `context`. */
  context_from: number;
}

/** Whether an answer to an example is correct. */
export interface Verdict {
  correct: boolean;
  /** Whether it has the think and answer blocks; without them an answer counts as wrong. */
  formatted: boolean;
  /** A correct answer. */
  answer: string;
}

const NAME_LENGTH = 60;

function firstQuestion({ turns }: Conversation): UserTurn | undefined {
  // Without a list of all the turns, of which there may be many.
  for (const id in turns) {
    const turn = turns[id]!;
    if (turn.role === 'user') return turn;
  }
  return undefined;
}

/** The conversation's name, or the first line of its first question. */
export function titleOf(conversation: Conversation): string {
  if (conversation.name) return conversation.name;
  const first = firstQuestion(conversation);
  const line = first?.text.trim().split('\n')[0]?.trim() ?? '';
  if (line === '') return t('storage:conversations.untitled');
  return line.length > NAME_LENGTH ? `${line.slice(0, NAME_LENGTH - 1).trimEnd()}…` : line;
}
