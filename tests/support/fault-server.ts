/** @file A model server on this machine that does what servers do when things go wrong, one script a request. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Script {
  status?: number;
  headers?: Record<string, string>;
  /** Written one after the other, each by itself. */
  body?: (string | Uint8Array)[];
  /** After the body: end well, cut the connection, or hold it open in silence. */
  ending?: 'end' | 'cut' | 'hold';
  /** Milliseconds between the pieces of the body. */
  pace?: number;
  /** No answer at all. */
  silent?: boolean;
}

export interface Request {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
  /** Resolves when the other side has closed the connection before the answer ended. */
  left: Promise<void>;
}

export interface FaultServer {
  url: string;
  asked: Request[];
  close(): Promise<void>;
}

/** @param script of each request; what isn't there is a 404 */
export async function startFaultServer(
  script: (request: Request, count: number) => Script | undefined,
): Promise<FaultServer> {
  const asked: Request[] = [];
  const server = createServer(async (message, response) => {
    let body = '';
    for await (const piece of message) body += String(piece);
    const left = new Promise<void>((resolve) => response.on('close', () => !response.writableFinished && resolve()));
    const request = { method: message.method!, path: message.url!, headers: message.headers, body, left };
    asked.push(request);
    await play(response, script(request, asked.length - 1) ?? { status: 404, body: ['{"detail":"Not Found"}'] });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function play(response: ServerResponse, script: Script): Promise<void> {
  if (script.silent) return;
  response.writeHead(script.status ?? 200, { 'Content-Type': 'application/json', ...script.headers });
  response.flushHeaders();
  for (const piece of script.body ?? []) {
    if (response.destroyed) return;
    await new Promise<void>((resolve) => response.write(piece, () => resolve()));
    if (script.pace) await new Promise((resolve) => setTimeout(resolve, script.pace));
  }
  if (script.ending === 'cut') response.destroy();
  else if (script.ending !== 'hold') response.end();
}

/** A fetch that answers with these pieces of a body and then ends; quicker than a server where there are thousands. */
export const fetchOf =
  (pieces: readonly Uint8Array[], contentType: string): typeof fetch =>
  () => {
    let at = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => (at < pieces.length ? controller.enqueue(pieces[at++]!) : controller.close()),
    });
    return Promise.resolve(new Response(body, { headers: { 'Content-Type': contentType } }));
  };
