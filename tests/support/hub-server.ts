/**
 * @file A server that speaks the Hugging Face Hub's protocol on this machine, with every fault that a download meets:
 * the listing of a revision with sizes and hashes, `resolve` with its redirect to a CDN, ranges, ETags. Files are a
 * folder's, or made up as they are read, so that gigabytes need no disk.
 */
import { createHash, type Hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { parameterShapes } from '../../src/formats/hf/architecture';
import { parseDecoderConfig } from '../../src/formats/hf/hf-config';

export interface ServedFile {
  bytes: number;
  read(begin: number, end: number): Uint8Array;
}

/** What goes wrong with one answer. */
export type Fault =
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  /** The connection is cut after so many bytes of the body. */
  | { kind: 'cut'; after: number }
  /** The byte at this place of the file comes with its lowest bit turned. */
  | { kind: 'flip'; at: number }
  /** The file is so long on the server, whatever the listing says. */
  | { kind: 'length'; bytes: number }
  /** `Range` is ignored, and no length is announced when `chunked`. */
  | { kind: 'no ranges'; chunked?: boolean }
  /** So many bytes a second. */
  | { kind: 'slow'; rate: number }
  /** Headers come and nothing after so many bytes. */
  | { kind: 'silent'; after: number }
  | { kind: 'web page' }
  | { kind: 'etag'; value: string };

/** One request for bytes of a file. */
export interface Asked {
  path: string;
  /** The first byte that is asked for. */
  from: number;
  /** The byte behind the last one that is asked for; Infinity for all. */
  to: number;
  /** Counted from 0 over all requests for this path. */
  count: number;
}

export interface HubServerOptions {
  /** By `owner/name`, then path. */
  repos: Record<string, Record<string, ServedFile>>;
  /** Decides for each request for bytes. */
  fault?: (asked: Asked) => Fault | undefined;
  /** Added to the listing, over what it would be: `gated`, `cardData`. */
  info?: Record<string, unknown>;
  /** Status of the listing instead of an answer; 0: silence. */
  listing?: (count: number) => number | undefined;
}

export interface HubServer {
  endpoint: string;
  /** The commit that `main` is at. */
  readonly sha: string;
  /** Requests for bytes so far. */
  asked: Asked[];
  options: HubServerOptions;
  close(): Promise<void>;
}

const SHA = '0123456789abcdef0123456789abcdef01234567';
const PIECE = 1 << 20;
/** The Hub lets pages read these. */
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'ETag, Accept-Ranges, Content-Range',
};

export async function startHubServer(options: HubServerOptions): Promise<HubServer> {
  const asked: Asked[] = [];
  let listings = 0;
  const hub: Omit<HubServer, 'endpoint' | 'close'> = { sha: SHA, asked, options };
  const server = createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url!, 'http://hub');
    const send = (status: number, headers: Record<string, string | number>, body?: string | Uint8Array) =>
      response.writeHead(status, { ...CORS, ...headers }).end(body);
    const listing = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/([^/]+)$/.exec(pathname);
    if (listing) {
      const status = hub.options.listing?.(listings++);
      if (status === 0) return;
      const repo = hub.options.repos[listing[1]!];
      if (status !== undefined || !repo) return void send(status ?? 401, {}, 'no');
      if (listing[2] !== 'main' && listing[2] !== SHA) return void send(404, {}, 'no such revision');
      const body = JSON.stringify({ sha: SHA, siblings: list(repo), tags: [], ...hub.options.info });
      return void send(200, { 'content-type': 'application/json' }, body);
    }
    const file = /^\/(?:(cdn)\/)?([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname);
    const path = decodeURIComponent(file?.[4] ?? '');
    const served = file?.[3] === SHA ? hub.options.repos[file[2]!]?.[path] : undefined;
    if (!file || !served) return void send(404, {}, 'Entry not found');
    // Large files lie elsewhere, as on the Hub.
    if (!file[1] && isLarge(path)) return void send(302, { location: `/cdn${pathname}` });
    await sendFile(request, response, path, served);
  }

  async function sendFile(request: IncomingMessage, response: ServerResponse, path: string, file: ServedFile) {
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const from = Number(range?.[1] ?? 0);
    const count = asked.filter((each) => each.path === path).length;
    const to = range?.[2] ? Number(range[2]) + 1 : Infinity;
    const request_ = { path, from, to, count };
    asked.push(request_);
    const fault = hub.options.fault?.(request_);
    if (fault?.kind === 'status') {
      response.writeHead(fault.status, { ...CORS, ...fault.headers }).end('a fault');
      return;
    }
    if (fault?.kind === 'web page') {
      response.writeHead(200, { ...CORS, 'content-type': 'text/html; charset=utf-8' }).end('<!doctype html>log in');
      return;
    }
    const total = fault?.kind === 'length' ? fault.bytes : file.bytes;
    const etag = fault?.kind === 'etag' ? fault.value : `"${path}-${file.bytes}"`;
    const headers: Record<string, string | number> = { ...CORS, etag, 'content-type': 'application/octet-stream' };
    const partial = range !== null && fault?.kind !== 'no ranges';
    const begin = partial ? from : 0;
    const end = partial && range[2] ? Math.min(total, Number(range[2]) + 1) : total;
    if (begin >= total && total > 0) {
      response.writeHead(416, { ...headers, 'content-range': `bytes */${total}` }).end();
      return;
    }
    if (partial) headers['content-range'] = `bytes ${begin}-${end - 1}/${total}`;
    if (!(fault?.kind === 'no ranges' && fault.chunked)) headers['content-length'] = end - begin;
    response.writeHead(partial ? 206 : 200, headers);
    if (request.method === 'HEAD') return void response.end();
    let sent = 0;
    const limit = fault?.kind === 'cut' || fault?.kind === 'silent' ? fault.after : Infinity;
    const piece = fault?.kind === 'slow' ? Math.max(1, Math.floor(fault.rate / 20)) : PIECE;
    for (let at = begin; at < end && !response.destroyed;) {
      const size = Math.min(piece, end - at, limit - sent);
      if (size === 0) break;
      const known = file.read(at, Math.min(at + size, file.bytes));
      // Beyond the file, where more than there is was announced: zeros.
      const bytes = known.length === size ? known : Buffer.concat([known, Buffer.alloc(size - known.length)]);
      if (fault?.kind === 'flip' && fault.at >= at && fault.at < at + size) {
        const flipped = Uint8Array.from(bytes);
        flipped[fault.at - at]! ^= 1;
        await write(response, flipped);
      } else await write(response, bytes);
      at += size;
      sent += size;
      if (fault?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, 50));
    }
    if (sent >= limit && fault?.kind === 'silent') return;
    if (sent >= limit) response.destroy();
    else response.end();
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(hub, {
    endpoint: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

/** As the Hub lists files: sha256 for what Git LFS keeps, git's id for the rest. */
function list(repo: Record<string, ServedFile>): unknown[] {
  return Object.entries(repo).map(([rfilename, file]) => {
    const size = file.bytes;
    const pointer = 'f'.repeat(40);
    return isLarge(rfilename)
      ? { rfilename, size, blobId: pointer, lfs: { sha256: hexOf(file, createHash('sha256')), size, pointerSize: 135 } }
      : { rfilename, size, blobId: hexOf(file, createHash('sha1').update(`blob ${size}\0`)) };
  });
}

const isLarge = (path: string) => /\.(safetensors|gguf|bin)$/.test(path);

const known = new WeakMap<ServedFile, string>();

/** Each file has one kind of hash, so that it is computed once. */
function hexOf(file: ServedFile, hash: Hash): string {
  let hex = known.get(file);
  if (hex === undefined) {
    for (let at = 0; at < file.bytes; at += PIECE) hash.update(file.read(at, Math.min(file.bytes, at + PIECE)));
    known.set(file, (hex = hash.digest('hex')));
  }
  return hex;
}

/** Waits where the reader is slower. */
function write(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  if (response.destroyed || response.write(bytes)) return Promise.resolve();
  return new Promise((resolve) => {
    const go = () => {
      response.off('drain', go).off('close', go);
      resolve();
    };
    response.on('drain', go).on('close', go);
  });
}

export const bytesFile = (bytes: Uint8Array): ServedFile => ({
  bytes: bytes.length,
  read: (begin, end) => bytes.subarray(begin, end),
});

export const textFile = (text: string): ServedFile => bytesFile(Buffer.from(text));

/** The files right in a folder. */
export function folderFiles(folder: string): Record<string, ServedFile> {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(names.map(({ name }) => [name, bytesFile(readFileSync(join(folder, name)))]));
}

/** Bytes that are the same each time and differ from place to place. */
export function madeUpFile(bytes: number, head: Uint8Array = new Uint8Array()): ServedFile {
  const base = Buffer.alloc(PIECE);
  for (let i = 0, state = 1; i < PIECE; i += 4) base.writeUInt32LE((state = (state * 1664525 + 1013904223) >>> 0), i);
  const block = (index: number) => {
    const copy = Buffer.from(base);
    copy.writeUInt32LE(index, 0);
    if (index * PIECE < head.length) copy.set(head.subarray(index * PIECE, (index + 1) * PIECE));
    return copy;
  };
  return {
    bytes,
    read(begin, end) {
      const pieces: Buffer[] = [];
      for (let at = begin; at < end;) {
        const index = Math.floor(at / PIECE);
        const offset = at - index * PIECE;
        const size = Math.min(PIECE - offset, end - at);
        pieces.push(block(index).subarray(offset, offset + size));
        at += size;
      }
      return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    },
  };
}

/**
 * A checkpoint with a true header and made-up weights in bf16.
 * @param text a folder with the tokenizer's files
 * @param config written over that folder's config.json
 */
export function madeUpCheckpoint(text: string, config: Record<string, unknown>): Record<string, ServedFile> {
  const files = folderFiles(text);
  const json = { ...JSON.parse(Buffer.from(files['config.json']!.read(0, Infinity)).toString()), ...config };
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const { name, shape } of parameterShapes(parseDecoderConfig(json))) {
    const begin = end;
    end += 2 * shape.reduce((a, b) => a * b, 1);
    header[name] = { dtype: 'BF16', shape, data_offsets: [begin, end] };
  }
  const encoded = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(8 + encoded.length);
  head.writeBigUInt64LE(BigInt(encoded.length));
  head.set(encoded, 8);
  return {
    ...files,
    'config.json': textFile(JSON.stringify(json)),
    'model.safetensors': madeUpFile(head.length + end, head),
  };
}
