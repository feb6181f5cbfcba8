/** @file The conversation: a list of exchanges, each streamed from whatever policy the page holds. */
import type { Policy } from '../../runs/policy';
import { judge, type Example, type Verdict } from './examples';
import type { SamplingSettings } from './settings';

export interface Exchange {
  readonly id: number;
  readonly prompt: string;
  /** Which model was asked. */
  readonly model: string;
  readonly settings: SamplingSettings;
  /** The known problem this prompt is, if it is one. */
  readonly example: Example | null;
  tokens: string[];
  /** One for each token; NaN where the policy gave none. */
  logprobs: number[];
  status: 'streaming' | 'done' | 'stopped' | 'failed';
  /** For the reader, when it failed. */
  error: string;
  verdict: Verdict | null;
  /** Milliseconds to the last token; 0 before the first. */
  elapsed: number;
}

export class ChatState {
  exchanges = $state<Exchange[]>([]);
  private nextId = 1;
  private abort: AbortController | null = null;
  /** Whether an answer is being streamed; only one is at a time. */
  readonly busy = $derived(this.exchanges.at(-1)?.status === 'streaming');

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Asks the policy and streams its answer into a new exchange. Resolves when it has ended; never rejects. */
  async send(
    policy: Policy,
    prompt: string,
    settings: SamplingSettings,
    example: Example | null = null,
  ): Promise<void> {
    if (this.busy || prompt.trim() === '') return;
    this.exchanges.push({
      id: this.nextId++,
      prompt,
      model: policy.name,
      settings: { ...settings },
      example,
      tokens: [],
      logprobs: [],
      status: 'streaming',
      error: '',
      verdict: null,
      elapsed: 0,
    });
    const exchange = this.exchanges.at(-1)!;
    const abort = (this.abort = new AbortController());
    const start = this.now();
    try {
      const request = { messages: [{ role: 'user' as const, content: prompt }], ...settings };
      for await (const token of policy.generate(request, abort.signal)) {
        exchange.tokens.push(token.text);
        exchange.logprobs.push(token.logprob ?? NaN);
        exchange.elapsed = this.now() - start;
      }
      exchange.status = abort.signal.aborted ? 'stopped' : 'done';
      if (exchange.status === 'done' && example) exchange.verdict = judge(example, exchange.tokens.join(''));
    } catch (error) {
      exchange.status = abort.signal.aborted ? 'stopped' : 'failed';
      exchange.error = error instanceof Error ? error.message : String(error);
    } finally {
      if (this.abort === abort) this.abort = null;
    }
  }

  /** Ends the answer under way and keeps what there is of it. */
  stop(): void {
    this.abort?.abort();
  }

  clear(): void {
    this.stop();
    this.exchanges = [];
  }
}
