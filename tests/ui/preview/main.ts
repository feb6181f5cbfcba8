/**
 * @file The Train page on a synthetic run, for working on its look without a GPU: `npx vite`, then
 * `/tests/ui/preview/?steps=40&theme=dark`. Not part of the app.
 */
import { mount } from 'svelte';
import type { RunConfig, RunEvent } from '../../../src/runs/events';
import type { RunObserver, Trainer } from '../../../src/runs/trainer';
import '../../../src/ui/shell/theme.css';
import { TrainSession } from '../../../src/ui/pages/train/run/session.svelte';
import TrainPage from '../../../src/ui/pages/train/TrainPage.svelte';
import type { ChatModel, ChatToken } from '../../../src/runs/chat-model';
import { fixtureConfig, syntheticRun } from '../pages/train/fixture';

const query = new URLSearchParams(location.search);
const until = Number(query.get('steps') ?? 160);
const theme = query.get('theme');
if (theme) document.documentElement.dataset['theme'] = theme;

// Made beforehand, so that a profile of the page shows the page.
const all = [...syntheticRun()];

/** Sends a step's events every 150 ms while it plays. */
class SyntheticTrainer implements Trainer {
  #events = all.values();
  #send: (event: RunEvent) => void = () => {};
  #timer: ReturnType<typeof setInterval> | undefined;

  start(_: unknown, observer: RunObserver): Promise<void> {
    this.#send = (event) => observer.event(event);
    this.#events = all.values();
    this.#next('eval');
    for (let step = 0; step < until; step++) this.#next('step');
    return Promise.resolve();
  }
  /** Sends up to the next event of a type. */
  #next(type: RunEvent['type']): void {
    for (;;) {
      const { value } = this.#events.next();
      if (!value) return clearInterval(this.#timer);
      this.#send(value);
      if (value.type === type) return;
    }
  }
  resume(): void {
    this.#timer = setInterval(() => this.#next('step'), 150);
  }
  pause(): Promise<void> {
    clearInterval(this.#timer);
    return Promise.resolve();
  }
  step(): Promise<void> {
    this.#next('step');
    return Promise.resolve();
  }
  stop(): Promise<void> {
    return this.pause();
  }
  update(): void {}
  exportModel(): Promise<Map<string, Uint8Array>> {
    return Promise.resolve(new Map());
  }
}

/** Answers with a fixed text, a token every 20 ms. */
class ScriptedChatModel implements ChatModel {
  constructor(
    readonly name: string,
    readonly tokens: string[],
  ) {}
  async *generate(): AsyncIterable<ChatToken> {
    for (const text of this.tokens) {
      await new Promise((done) => setTimeout(done, 20));
      yield { text, logprob: -0.1 };
    }
  }
}
const scripts = {
  before: ['<think>', '</think>', '<answer>', '4', '1', '</answer>', '<eos>'],
  after: ['<think>', ...'12+7=19;19+23=42', '</think>', '<answer>', '4', '2', '</answer>', '<eos>'],
};

const session = new TrainSession();
const begin = (config: RunConfig) => void session.prepare({ kind: 'live', config, make: () => new SyntheticTrainer() });
begin(fixtureConfig);
mount(TrainPage, {
  target: document.getElementById('app')!,
  props: {
    session,
    models: ['tinythink-1m'],
    chatModel: (which: 'before' | 'after') => Promise.resolve(new ScriptedChatModel(which, scripts[which])),
    begin,
    reset: () => begin(fixtureConfig),
  },
});
