/** @file Anything that answers a prompt: the local engine, or any server that people already run. */

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface GenerateRequest {
  messages: Message[];
  max_tokens: number;
  temperature: number;
  top_k: number;
  top_p: number;
  seed: number;
}

export interface PolicyToken {
  text: string;
  id?: number;
  logprob?: number;
}

export interface Policy {
  readonly name: string;
  /** Streams tokens until the end of the answer; ends early, without throwing, when the signal aborts. */
  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<PolicyToken>;
}
