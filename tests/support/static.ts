/** @file A web server for the files of a folder that can be exchanged, closed and opened again, as a host's are. */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
};

export class StaticServer {
  /** Paths that were asked for, in order. */
  readonly asked: string[] = [];
  #server: Server | null = null;
  #port = 0;

  /** @param headers sent with every file */
  constructor(
    public folder: string,
    private readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  /** With a slash at the end; the same after it was closed and opened again. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  async open(): Promise<this> {
    const server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', this.url).pathname;
      this.asked.push(path);
      const file = join(this.folder, normalize(path.endsWith('/') ? `${path}index.html` : path));
      readFile(file).then(
        (bytes) =>
          response
            .writeHead(200, {
              'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
              'cache-control': 'no-cache',
              'access-control-allow-origin': '*',
              ...this.headers,
            })
            .end(bytes),
        () => response.writeHead(404, { 'access-control-allow-origin': '*' }).end('not found'),
      );
    });
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    const address = server.address();
    if (!address || typeof address === 'string') throw new Error('the server has no port');
    this.#port = address.port;
    this.#server = server;
    return this;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    server?.closeAllConnections();
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(null)));
  }
}
