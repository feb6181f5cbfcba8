/** @file Serves any policy at the OpenAI paths, as vLLM does: streamed, one answer at a time, with usage at the end. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ChatModel } from '../../src/runs/chat-model';

export interface ChatModelServer {
  url: string;
  /** Requests for an answer so far. */
  readonly asked: { content: string; seed: number }[];
  close(): void;
}

export interface ChatModelServerOptions {
  port?: number;
  /** Called before each answer; what it returns is answered instead, as an error. */
  fault?: (asked: number) => { status: number; retryAfter?: number } | { cutAfter: number } | null;
  /** What of the question the policy sees; a model of the toy tasks reads the bare problem. */
  question?: (content: string) => string;
  /** Of the model. */
  name?: string;
}

interface Asked {
  messages: { content: string }[];
  max_tokens: number;
  temperature: number;
  top_p?: number;
  seed?: number;
}

/** A prompt's last line: the problem itself, after the instructions and examples. */
export const lastLine = (content: string): string => content.trim().split('\n').at(-1)!;

const CORS = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': 'authorization,content-type' };

export async function serveChatModel(
  policy: ChatModel,
  options: ChatModelServerOptions = {},
): Promise<ChatModelServer> {
  const { port = 0, fault, question = (content) => content, name = policy.name } = options;
  const asked: ChatModelServer['asked'] = [];
  // The engine writes one answer at a time.
  let turn: Promise<unknown> = Promise.resolve();
  const server: Server = createServer((request, response) => {
    const json = (status: number, value: unknown, headers: Record<string, string> = {}) =>
      response
        .writeHead(status, { ...CORS, ...headers, 'Content-Type': 'application/json' })
        .end(JSON.stringify(value));
    const answer = async () => {
      let body = '';
      for await (const piece of request) body += String(piece);
      if (request.method === 'OPTIONS') return void response.writeHead(204, CORS).end();
      if (request.url === '/v1/models') {
        return void json(200, { data: [{ id: name, owned_by: 'vllm', max_model_len: 4096 }] });
      }
      if (request.url !== '/v1/chat/completions') return void json(404, { detail: 'Not Found' });
      const { messages, max_tokens, temperature, top_p = 1, seed = 0 } = JSON.parse(body) as Asked;
      const { content } = messages.at(-1)!;
      const wrong = fault?.(asked.length) ?? null;
      asked.push({ content, seed });
      if (wrong && 'status' in wrong) {
        const { status, retryAfter } = wrong;
        const headers = retryAfter === undefined ? {} : { 'Retry-After': `${retryAfter}` };
        return void json(status, { error: { message: 'not now' } }, headers);
      }
      response.writeHead(200, { ...CORS, 'Content-Type': 'text/event-stream' });
      const send = (value: unknown) => response.write(`data: ${JSON.stringify(value)}\n\n`);
      const asking = { max_tokens, temperature, top_p, top_k: 0, seed };
      const ask = { ...asking, messages: [{ role: 'user' as const, content: question(content) }] };
      const abort = new AbortController();
      response.on('close', () => abort.abort());
      if (response.destroyed) return;
      let tokens = 0;
      for await (const { text } of policy.generate(ask, abort.signal)) {
        if (wrong && 'cutAfter' in wrong && tokens === wrong.cutAfter) return void response.destroy();
        tokens++;
        send({ choices: [{ index: 0, delta: { content: text } }] });
      }
      send({ choices: [{ index: 0, delta: {}, finish_reason: tokens < max_tokens ? 'stop' : 'length' }] });
      send({ choices: [], usage: { prompt_tokens: question(content).length, completion_tokens: tokens } });
      response.end('data: [DONE]\n\n');
    };
    turn = turn.then(answer).catch((error: unknown) => {
      // Who asked may have left.
      if (!response.destroyed && !request.destroyed) console.error(error);
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
