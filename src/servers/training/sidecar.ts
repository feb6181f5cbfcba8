/**
 * @file The client of `tinythink-remote` (remote/): runs on a GPU server, started, told what to do, and watched. All that
 * comes from there is hostile until a schema has read it; the key goes to the server's own origin alone.
 */
import { sleep } from '../../base/sleep';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import * as v from 'valibot';
import type { LiveConfig } from '../../rl/config';
import { EventsError, parseEvent, runConfig } from '../../runs/event-schema';
import type { RunConfig, RunEvent } from '../../runs/events';
import { RemoteError } from '../errors';
import { Exchange, parseJson, type ExchangeInit, type ExchangeOptions } from '../exchange';
import { ServerKey } from '../key';
import { serverUrl, type RemoteServer } from '../server';

export interface SidecarOptions extends ExchangeOptions {
  /** Milliseconds until the first attempt to reach a lost stream again; each further one waits twice as long. */
  reconnectMs?: number;
  /** Milliseconds without any sign of life after which a stream is given up; Infinity: never. The run itself goes on. */
  patienceMs?: number;
}

const RECONNECT_MS = 1000;
const LONGEST_RECONNECT_MS = 30_000;
const PATIENCE_MS = 600_000;
/** The sidecar speaks every 15 s. */
const STALL_MS = 60_000;
/** A step's event holds all its completions, token by token; in characters. */
const LONGEST_EVENT = 64_000_000;
const MAX_FILES = 1000;
/** Of one file of a checkpoint. Larger ones don't fit a page's memory, and are fetched by other means. */
const MAX_FILE = 2 ** 31;

const text = (length: number) => v.pipe(v.string(), v.maxLength(length));
const texts = v.pipe(v.array(text(300)), v.maxLength(10_000));
const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const runId = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/));
const state = v.picklist(['starting', 'running', 'paused', 'finished', 'stopped', 'failed']);
const standing = v.object({ state, step: whole, seq: whole });
const command = v.object({ seq: whole });
const info = v.object({
  name: v.literal('tinythink-remote'),
  version: text(50),
  models: texts,
  hub: texts,
  tasks: texts,
  rewards: texts,
  gpus: whole,
  vllm: v.boolean(),
  deepspeed: v.boolean(),
  peft: v.boolean(),
});
const runOptions = v.partial(
  v.object({
    launcher: v.picklist(['none', 'accelerate']),
    num_processes: whole,
    sharding: v.picklist(['zero3', 'none']),
    precision: v.picklist(['f32', 'bf16']),
    lora: v.nullable(v.partial(v.object({ r: whole, lora_alpha: v.number(), lora_dropout: v.number() }))),
    use_vllm: v.nullable(v.boolean()),
    vllm_gpu_memory_utilization: v.number(),
    gradient_checkpointing: v.boolean(),
    per_device_train_batch_size: v.nullable(whole),
    save_total_limit: v.nullable(whole),
  }),
);
const run = v.object({
  id: runId,
  /** Seconds since 1970. */
  created: v.number(),
  ...standing.entries,
  events: whole,
  // Null where another version made it: such a run is listed, and can't be watched here.
  config: v.fallback(v.nullish(runConfig), null),
  remote: v.fallback(v.nullish(runOptions), null),
});
const dataset = v.object({
  task: v.pipe(v.string(), v.regex(/^dataset:[0-9a-f]{16}$/)),
  rows: v.optional(whole),
  hub: v.optional(text(200)),
});
const datasets = v.pipe(v.array(dataset), v.maxLength(1000));
const runs = v.pipe(v.array(run), v.maxLength(100_000));
const checkpoints = v.pipe(
  v.array(
    v.object({
      step: whole,
      files: v.pipe(
        v.array(v.object({ name: v.pipe(v.string(), v.regex(/^[A-Za-z0-9][\w.-]{0,199}$/)), bytes: whole })),
        v.maxLength(MAX_FILES),
      ),
    }),
  ),
  v.maxLength(100_000),
);

/** How a server runs it; what is left out is for the server to choose. Mirrors `RemoteOptions` of remote/. */
export type RemoteRunOptions = v.InferOutput<typeof runOptions>;
/** Where a run stands; `seq` is the last command that it has seen to. */
export type RunStatus = v.InferOutput<typeof standing>;
export type SidecarInfo = v.InferOutput<typeof info>;
export type SidecarDataset = v.InferOutput<typeof dataset>;
export type SidecarRun = v.InferOutput<typeof run>;
export type SidecarCheckpoint = v.InferOutput<typeof checkpoints>[number];
export type SidecarCommand = 'pause' | 'resume' | 'step' | 'stop' | 'checkpoint';

/** What a run's stream says: an event with its number, or where the run stands. */
export type Message = { kind: 'run'; id: number; event: RunEvent } | ({ kind: 'state' } & RunStatus);

export const hasEnded = ({ state }: Pick<RunStatus, 'state'>): boolean =>
  state === 'finished' || state === 'stopped' || state === 'failed';

/** Of a server, what a sidecar needs. */
export type SidecarServer = Pick<RemoteServer, 'url' | 'label' | 'key'>;

/** An answer to `/info` as what it is; null when it is something else. */
export function readInfo(answer: unknown): SidecarInfo | null {
  const parsed = v.safeParse(info, answer);
  return parsed.success ? parsed.output : null;
}

/** One sidecar. Every method throws RemoteError with a sentence for the user, or AbortError. */
export class Sidecar {
  readonly server: RemoteServer;
  readonly #options: SidecarOptions;

  /**
   * @param address where it is, or a server as the Connect page keeps it
   * @throws RemoteError when the address or the token can't be one
   */
  constructor(address: string | SidecarServer, token?: string | null, options: SidecarOptions = {}) {
    this.#options = { stallMs: STALL_MS, firstMs: STALL_MS, ...options };
    if (typeof address !== 'string') {
      this.server = { kind: 'openai', url: address.url, label: address.label, key: address.key ?? null };
      return;
    }
    const url = serverUrl(address);
    // The kind only matters to model servers; none of what is asked here depends on it.
    this.server = {
      kind: 'openai',
      url,
      label: new URL(url).host,
      key: token?.trim() ? new ServerKey(url, token) : null,
    };
  }

  /** What the server has and can do; also the way to find out whether it is a sidecar. */
  info(signal?: AbortSignal): Promise<SidecarInfo> {
    return this.#ask('/info', {}, info, signal);
  }

  /** The data sets that were uploaded there. */
  datasets(signal?: AbortSignal): Promise<SidecarDataset[]> {
    return this.#ask('/datasets', {}, datasets, signal);
  }

  /** Uploads problems and answers. @param lines JSON lines: `prompt`, `problem` or `question`, and `answer` */
  addDataset(lines: string, signal?: AbortSignal): Promise<SidecarDataset> {
    const text = { type: 'application/x-ndjson', content: lines };
    return this.#ask('/datasets', { text }, dataset, signal);
  }

  /** Newest first. */
  runs(signal?: AbortSignal): Promise<SidecarRun[]> {
    return this.#ask('/runs', {}, runs, signal);
  }

  async run(id: string, signal?: AbortSignal): Promise<SidecarRun> {
    return this.#ask(`/runs/${checkedId(id)}`, {}, run, signal);
  }

  /** @param paused evaluate the model, then wait */
  create(config: RunConfig, remote: RemoteRunOptions = {}, paused = false, signal?: AbortSignal): Promise<SidecarRun> {
    return this.#ask('/runs', { body: { config, remote, paused } }, run, signal);
  }

  /** @returns the `seq` that the run's standing reaches when it has seen to it */
  async tell(id: string, what: SidecarCommand): Promise<number> {
    return (await this.#ask(`/runs/${checkedId(id)}/${what}`, { body: {} }, command)).seq;
  }

  async update(id: string, change: LiveConfig): Promise<number> {
    return (await this.#ask(`/runs/${checkedId(id)}`, { body: change, method: 'PATCH' }, command)).seq;
  }

  /** Oldest first. */
  async checkpoints(id: string, signal?: AbortSignal): Promise<SidecarCheckpoint[]> {
    return this.#ask(`/runs/${checkedId(id)}/checkpoints`, {}, checkpoints, signal);
  }

  /**
   * The files of a checkpoint, a Hugging Face model folder.
   * @param onProgress bytes so far, of bytes in all
   */
  async download(
    id: string,
    { step, files }: SidecarCheckpoint,
    signal?: AbortSignal,
    onProgress?: (done: number, all: number) => void,
  ): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
    const all = files.reduce((sum, { bytes }) => sum + bytes, 0);
    let done = 0;
    const folder = new Map<string, Uint8Array<ArrayBuffer>>();
    for (const { name, bytes } of files) {
      const path = `/runs/${checkedId(id)}/checkpoints/${step}/${name}`;
      const file = await this.#file(path, name, bytes, signal, (more) => onProgress?.((done += more), all));
      folder.set(name, file);
    }
    return folder;
  }

  /** The end of what the run's process printed: plain text, to be shown as such. */
  async logs(id: string, signal: AbortSignal = never()): Promise<string> {
    const exchange = await this.#open(`/runs/${checkedId(id)}/logs`, {}, signal);
    const decoder = new TextDecoder();
    let log = '';
    for await (const piece of exchange.bytes()) {
      log += decoder.decode(piece, { stream: true });
      if (log.length > 1_000_000) throw this.#unexpected();
    }
    return log + decoder.decode();
  }

  /**
   * A run's events after number `after`, and between them where it stands, until it has ended. A stream that is lost is
   * taken up again where it broke off: nothing is missed and nothing comes twice.
   */
  async *watch(id: string, after = 0, signal: AbortSignal = never()): AsyncGenerator<Message> {
    const { reconnectMs = RECONNECT_MS, patienceMs = PATIENCE_MS, onNotice } = this.#options;
    let alive = Date.now();
    let failures = 0;
    for (;;) {
      try {
        for await (const message of this.#stream(id, after, signal)) {
          alive = Date.now();
          failures = 0;
          if (message === 'end') return;
          if (message.kind === 'run') after = message.id;
          yield message;
        }
        throw new RemoteError('truncated', `The events of ${this.server.label} broke off.`);
      } catch (error) {
        const passing = error instanceof RemoteError && PASSING.has(error.code);
        if (!passing || Date.now() - alive > patienceMs) throw error;
        onNotice?.(`${error.message} The run goes on there; trying again.`);
        await sleep(Math.min(reconnectMs * 2 ** failures++, LONGEST_RECONNECT_MS), signal);
      }
    }
  }

  /** One connection's worth of a run's stream. */
  async *#stream(id: string, after: number, signal: AbortSignal): AsyncGenerator<Message | 'end'> {
    const init = after > 0 ? { lastEventId: String(after) } : {};
    const exchange = await this.#open(`/runs/${checkedId(id)}/events`, init, signal);
    try {
      const type = exchange.response.headers.get('content-type') ?? '';
      if (!/^text\/event-stream\b/i.test(type)) throw exchange.notJson('');
      let received: EventSourceMessage[] = [];
      let long = false;
      const parser = createParser({
        maxBufferSize: LONGEST_EVENT,
        onEvent: (event) => received.push(event),
        onError: ({ type }) => (long ||= type === 'max-buffer-size-exceeded'),
      });
      const decoder = new TextDecoder();
      for await (const piece of exchange.bytes()) {
        parser.feed(decoder.decode(piece, { stream: true }));
        if (long) throw this.#unexpected();
        const events = received;
        received = [];
        for (const event of events) {
          if (event.event === 'end') yield 'end';
          else if (event.event === 'state') yield { kind: 'state', ...this.#read(standing, parseJson(event.data)) };
          else if (event.event === 'run') {
            // The next one and no other: what is missing would be missing from the run for good.
            if (event.id !== String(++after)) throw this.#unexpected();
            yield { kind: 'run', id: after, event: this.#event(event.data) };
          }
        }
      }
    } finally {
      exchange.close();
    }
  }

  #event(data: string): RunEvent {
    try {
      return parseEvent(parseJson(data));
    } catch (error) {
      if (!(error instanceof EventsError)) throw error;
      throw this.#unexpected();
    }
  }

  async #file(
    path: string,
    name: string,
    size: number,
    signal: AbortSignal = never(),
    onBytes: (more: number) => void,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (size > MAX_FILE) {
      const gib = (size / 2 ** 30).toFixed(1);
      throw new RemoteError(
        'unsupported',
        `${name} has ${gib} GiB, more than a page can hold. Copy it from the server.`,
      );
    }
    const exchange = await this.#open(path, {}, signal);
    const file = new Uint8Array(size);
    let at = 0;
    for await (const piece of exchange.bytes()) {
      if (at + piece.length > size) throw this.#unexpected();
      file.set(piece, at);
      at += piece.length;
      onBytes(piece.length);
    }
    if (at < size) throw new RemoteError('truncated', `${name} broke off after ${at} of ${size} bytes.`);
    return file;
  }

  async #ask<T extends v.GenericSchema>(
    path: string,
    init: ExchangeInit,
    schema: T,
    signal: AbortSignal = never(),
  ): Promise<v.InferOutput<T>> {
    const exchange = await this.#open(path, init, signal);
    return this.#read(schema, await exchange.json());
  }

  #open(path: string, init: ExchangeInit, signal: AbortSignal): Promise<Exchange> {
    return Exchange.open(this.server, this.server.url + path, init, this.#options, signal);
  }

  #read<T extends v.GenericSchema>(schema: T, value: unknown): v.InferOutput<T> {
    const parsed = v.safeParse(schema, value);
    if (!parsed.success) throw this.#unexpected();
    return parsed.output;
  }

  #unexpected(): RemoteError {
    return new RemoteError(
      'protocol',
      `${this.server.label} answered with something that tinythink-remote doesn't send.`,
    );
  }
}

/** What may be over in a moment. */
const PASSING: ReadonlySet<string> = new Set(['unreachable', 'truncated', 'stalled', 'overloaded', 'rate', 'server']);

/** An id becomes part of an address. */
function checkedId(id: string): string {
  if (!v.is(runId, id)) throw new RemoteError('path', 'That is not the id of a run on a server.');
  return id;
}

const never = (): AbortSignal => new AbortController().signal;
