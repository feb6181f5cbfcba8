/** @file Anything that answers a prompt: the local engine, or any server that people already run. */
import type { RecommendedSampling } from '../formats/model';

export type { RecommendedSampling } from '../formats/model';

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface GenerateRequest {
  messages: Message[];
  max_tokens: number;
  temperature: number;
  /** 0: all. */
  top_k: number;
  /** 1: all. */
  top_p: number;
  /** Tokens less likely than this share of the likeliest one's probability are never drawn; 0: all. */
  min_p?: number;
  /** Transformers' rule: logits of tokens seen in the context are divided by it, or multiplied when negative; 1: off. */
  repetition_penalty?: number;
  seed: number;
  /**
   * The beginning of the answer, to go on from: the text of an answer that was stopped, as it was streamed. Where the
   * template itself opens the thoughts, the first token's text begins with that opening, and so does the prefix.
   */
  prefix?: string;
  /** How many of the likeliest tokens to report beside each one that is drawn; 0: none. */
  top_logprobs?: number;
}

export interface Alternative {
  id?: number;
  text: string;
  logprob: number;
}

export interface ChatToken {
  text: string;
  id?: number;
  logprob?: number;
  /** The likeliest tokens in its place, the likeliest first. */
  top?: Alternative[];
  /** On the first token, and again when it has changed for another reason than one more token. */
  context?: ContextUse;
  /** Something that the reader should know, as a sentence: the context is full and its beginning is being dropped. */
  notice?: string;
  /** On the last token, whose text may be empty. */
  finish?: 'stop' | 'length';
  /** On the last token, where a server answers. A token of a server may be several of the model's. */
  server?: ServerReport;
}

/** What a server counted and timed itself; only what it says. */
export interface ServerReport {
  prompt_tokens?: number;
  /** Of the prompt: taken from what was computed for a request before. */
  cached_tokens?: number;
  /** Thoughts included. */
  completion_tokens?: number;
  /** Of the completion: thoughts. */
  reasoning_tokens?: number;
  /** Milliseconds: loading the model, computing the prompt, writing the completion. */
  load_ms?: number;
  prompt_ms?: number;
  completion_ms?: number;
}

/** Counted in tokens. */
export interface ContextUse {
  prompt: number;
  /** Of the prompt: taken from what was computed for the request before. */
  cached: number;
  /** How many the model keeps in view. */
  length: number;
  /** Milliseconds that the rest of the prompt took to compute. */
  prefill_ms: number;
}

export interface ChatModel {
  readonly name: string;
  /** What the model's makers recommend, where they do. */
  readonly sampling?: RecommendedSampling;
  /** False for a model that knows only the characters of the toy tasks; true when left out. */
  readonly readsLanguage?: boolean;
  /** Streams tokens until the end of the answer; ends early, without throwing, when the signal aborts. */
  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<ChatToken>;
}

/** A chat model that holds memory until it is closed. */
export interface OpenChatModel extends ChatModel {
  close(): void;
}
