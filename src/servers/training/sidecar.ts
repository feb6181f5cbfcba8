/**
 * @file The client of `tinythink-remote` (remote/): starts runs on a GPU server, sends them commands and follows their
 * events. A schema checks everything that comes from there, and the key goes only to the server's own origin.
 */
import * as v from 'valibot';
import { sleep } from '../../base/sleep';
import { t } from '../../i18n';
import type { LiveConfig } from '../../rl/config';
import { EventsError, parseEvent } from '../../runs/event-schema';
import type { RunConfig, RunEvent } from '../../runs/events';
import { RemoteError } from '../errors';
import { Exchange, type Endpoint, type ExchangeInit, type ExchangeOptions } from '../exchange';
import { ServerKey } from '../key';
import { serverUrl } from '../server';
import { parseJson, serverSentEvents } from '../stream';
import {
  checkpointList,
  commandAnswer,
  datasetAnswer,
  datasetList,
  datasetTask,
  infoAnswer,
  isRunId,
  runAnswer,
  runList,
  runStatus,
  type RemoteRunOptions,
  type RunMessage,
  type SidecarCheckpoint,
  type SidecarCommand,
  type SidecarDataset,
  type SidecarInfo,
  type SidecarRun,
} from './sidecar-schema';

export interface SidecarOptions extends ExchangeOptions {
  /** Milliseconds before the first attempt to reconnect a lost stream; each further attempt waits twice as long. */
  reconnectMs?: number;
  /**
   * Milliseconds without any sign of life after which a stream is given up; Infinity to try for ever. The run itself goes
   * on.
   */
  reconnectTimeoutMs?: number;
}

const RECONNECT_MS = 1000;
const MAX_RECONNECT_MS = 30_000;
const RECONNECT_TIMEOUT_MS = 600_000;
/** The sidecar sends a comment every 15 s. */
const STALL_MS = 60_000;
/** Characters of an event. A step's event holds all its completions, token by token. */
const MAX_EVENT = 64_000_000;
/** Bytes of one file of a checkpoint. Larger files don't fit into a page's memory. */
const MAX_FILE = 2 ** 31;

/** One sidecar. Every method throws RemoteError with a message for the user, or AbortError. */
export class Sidecar {
  readonly server: Endpoint;
  readonly #options: SidecarOptions;

  /**
   * @param address its address, or a server from the Connect page
   * @throws RemoteError when the address or the token is invalid
   */
  constructor(address: string | Endpoint, token?: string | null, options: SidecarOptions = {}) {
    this.#options = { stallMs: STALL_MS, firstMs: STALL_MS, ...options };
    if (typeof address !== 'string') {
      this.server = { url: address.url, label: address.label, key: address.key ?? null };
      return;
    }
    const url = serverUrl(address);
    this.server = { url, label: new URL(url).host, key: token?.trim() ? new ServerKey(url, token) : null };
  }

  /** What the server has and can do. */
  info(signal?: AbortSignal): Promise<SidecarInfo> {
    return this.#ask('/info', {}, infoAnswer, signal);
  }

  /** The data sets that were uploaded to the server. */
  datasets(signal?: AbortSignal): Promise<SidecarDataset[]> {
    return this.#ask('/datasets', {}, datasetList, signal);
  }

  /** Uploads problems and answers. @param lines JSON lines: `prompt`, `problem` or `question`, and `answer` */
  addDataset(lines: string, signal?: AbortSignal): Promise<SidecarDataset> {
    const text = { type: 'application/x-ndjson', content: lines };
    return this.#ask('/datasets', { text }, datasetAnswer, signal);
  }

  /** Deletes an uploaded data set. The server refuses it while a run is trained on it. @param task its name as a task */
  async deleteDataset(task: string, signal: AbortSignal = never()): Promise<void> {
    if (!v.is(datasetTask, task)) throw new RemoteError('path', t('servers:sidecar.notADataset'));
    await this.#delete(`/datasets/${task.slice('dataset:'.length)}`, signal);
  }

  /** Newest first. */
  runs(signal?: AbortSignal): Promise<SidecarRun[]> {
    return this.#ask('/runs', {}, runList, signal);
  }

  async run(id: string, signal?: AbortSignal): Promise<SidecarRun> {
    return this.#ask(`/runs/${checkedId(id)}`, {}, runAnswer, signal);
  }

  /** Deletes a run with its checkpoints. The server refuses it while the run has not ended. */
  async deleteRun(id: string, signal: AbortSignal = never()): Promise<void> {
    await this.#delete(`/runs/${checkedId(id)}`, signal);
  }

  /** Starts a run. @param paused evaluates the model and then waits for `resume` */
  create(config: RunConfig, remote: RemoteRunOptions = {}, paused = false, signal?: AbortSignal): Promise<SidecarRun> {
    return this.#ask('/runs', { body: { config, remote, paused } }, runAnswer, signal);
  }

  /** @returns the `seq` of the run's status from which on the command has taken effect */
  async command(id: string, command: SidecarCommand): Promise<number> {
    return (await this.#ask(`/runs/${checkedId(id)}/${command}`, { body: {} }, commandAnswer)).seq;
  }

  /** Changes settings of a run from its next step on. @returns as `command` does */
  async update(id: string, change: LiveConfig): Promise<number> {
    return (await this.#ask(`/runs/${checkedId(id)}`, { body: change, method: 'PATCH' }, commandAnswer)).seq;
  }

  /** Oldest first. */
  async checkpoints(id: string, signal?: AbortSignal): Promise<SidecarCheckpoint[]> {
    return this.#ask(`/runs/${checkedId(id)}/checkpoints`, {}, checkpointList, signal);
  }

  /**
   * Downloads the files of a checkpoint, which are a Hugging Face model folder.
   * @param onProgress called with the bytes so far and the total
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

  /** The end of what the run's process printed, as plain text. */
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
   * Follows a run until it has ended: its events after number `after`, and its status between them. When the connection is
   * lost, the stream continues after the last event that came, so that none is missed and none comes twice.
   * @param onDisconnected called with a sentence before each attempt to reconnect
   */
  async *watch(
    id: string,
    after = 0,
    signal: AbortSignal = never(),
    onDisconnected: (reason: string) => void = () => {},
  ): AsyncGenerator<RunMessage> {
    const { reconnectMs = RECONNECT_MS, reconnectTimeoutMs = RECONNECT_TIMEOUT_MS } = this.#options;
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
        throw new RemoteError('truncated', t('servers:sidecar.eventsCutOff', { server: this.server.label }));
      } catch (error) {
        const isTemporary = error instanceof RemoteError && TEMPORARY.has(error.code);
        if (!isTemporary || Date.now() - alive > reconnectTimeoutMs) throw error;
        onDisconnected(t('servers:sidecar.reconnecting', { problem: error.message }));
        await sleep(Math.min(reconnectMs * 2 ** failures++, MAX_RECONNECT_MS), signal);
      }
    }
  }

  /** One connection of a run's stream. */
  async *#stream(id: string, after: number, signal: AbortSignal): AsyncGenerator<RunMessage | 'end'> {
    const init = after > 0 ? { lastEventId: String(after) } : {};
    const exchange = await this.#open(`/runs/${checkedId(id)}/events`, init, signal);
    try {
      const type = exchange.response.headers.get('content-type') ?? '';
      if (!/^text\/event-stream\b/i.test(type)) throw exchange.notJson('');
      for await (const received of serverSentEvents(exchange.bytes(), MAX_EVENT)) {
        if (received.kind === 'foreign' || received.kind === 'error') throw this.#unexpected();
        if (received.kind === 'alive') continue;
        const { event, id: number, data } = received;
        if (event === 'end') yield 'end';
        else if (event === 'state') yield { kind: 'status', ...this.#read(runStatus, parseJson(data)) };
        else if (event === 'run') {
          // It must be the very next one: an event that is missing here would be missing from the run for good.
          if (number !== String(++after)) throw this.#unexpected();
          yield { kind: 'run', id: after, event: this.#event(data) };
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
      const gib = Math.round((size / 2 ** 30) * 10) / 10;
      throw new RemoteError('unsupported', t('servers:sidecar.fileTooLarge', { name, gib }));
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
    if (at < size) throw new RemoteError('truncated', t('servers:sidecar.fileCutOff', { name, at, size }));
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

  async #delete(path: string, signal: AbortSignal): Promise<void> {
    try {
      (await this.#open(path, { method: 'DELETE' }, signal)).close();
    } catch (error) {
      // It is gone already, which is what was asked for.
      if (!(error instanceof RemoteError && error.status === 404)) throw error;
    }
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
    return new RemoteError('protocol', t('servers:sidecar.unexpected', { server: this.server.label }));
  }
}

/** Errors that may go away by themselves. */
const TEMPORARY: ReadonlySet<string> = new Set(['unreachable', 'truncated', 'stalled', 'overloaded', 'rate', 'server']);

/** The id, checked, since it becomes part of an address. */
function checkedId(id: string): string {
  if (!isRunId(id)) throw new RemoteError('path', t('servers:sidecar.notARunId'));
  return id;
}

const never = (): AbortSignal => new AbortController().signal;
