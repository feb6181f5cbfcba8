/** @file The client of tinythink-remote against a server that behaves, one that fails, and one that lies. */
import { afterEach, describe, expect, test } from 'vitest';
import { RemoteError } from '../../../src/servers/errors';
import { Sidecar } from '../../../src/servers/training/sidecar';
import type { RunMessage } from '../../../src/servers/training/sidecar-schema';
import { SidecarTrainer } from '../../../src/servers/training/sidecar-trainer';
import { defaultRunConfig } from '../../../src/runs/config';
import type { RunEvent } from '../../../src/runs/events';
import { startFaultServer, type FaultServer, type Request, type Script } from '../../support/fault-server';

const ID = '0123456789abcdef';
const TOKEN = 'correct-horse-battery-staple';
const STREAM = { 'Content-Type': 'text/event-stream' };

const started: RunEvent = {
  type: 'started',
  schema: 1,
  run_id: ID,
  time: '2026-01-01T00:00:00.000Z',
  config: defaultRunConfig,
  model: { name: 'tinythink-1m', parameters: 860_000, architecture: 'LlamaForCausalLM', reads_language: false },
  device: { kind: 'trl', description: 'TRL 1.13.0' },
  seed: 0,
};
const step = (n: number): RunEvent => ({ type: 'step', step: n, metrics: { loss: n }, groups: [], timings: {} });
const finished: RunEvent = { type: 'finished', step: 3, reason: 'max_steps' };
const RUN: RunEvent[] = [started, step(1), step(2), step(3), finished];

const message = (id: number, event: unknown) => `id: ${id}\nevent: run\ndata: ${JSON.stringify(event)}\n\n`;
const stands = (state: string, at: number, seq: number) =>
  `event: state\ndata: ${JSON.stringify({ state, step: at, seq })}\n\n`;
const END = 'event: end\ndata: {}\n\n';
const WHOLE = RUN.map((event, i) => message(i + 1, event)).join('') + stands('finished', 3, 0) + END;
const described = (state = 'paused') => ({
  id: ID,
  created: 1,
  state,
  step: 0,
  seq: 0,
  events: 0,
  config: {},
  save: 0,
});
const json = (value: unknown, status = 200): Script => ({ status, body: [JSON.stringify(value)] });

let server: FaultServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(script: (request: Request, count: number) => Script | undefined): Promise<Sidecar> {
  server = await startFaultServer(script);
  return new Sidecar(server.url, TOKEN, {
    reconnectMs: 0.01,
    reconnectTimeoutMs: 10_000,
    stallMs: 1000,
    firstMs: 1000,
  });
}

async function all(messages: AsyncIterable<RunMessage>): Promise<RunMessage[]> {
  const list: RunMessage[] = [];
  for await (const each of messages) list.push(each);
  return list;
}
const eventsOf = (messages: RunMessage[]): RunEvent[] =>
  messages.flatMap((each) => (each.kind === 'run' ? [each.event] : []));

describe('watching', () => {
  test('a run from the first event to its end', async () => {
    const sidecar = await start(() => ({ headers: STREAM, body: [': hello\n\n', WHOLE] }));
    const messages = await all(sidecar.watch(ID));
    expect(eventsOf(messages)).toEqual(RUN);
    expect(messages.at(-1)).toEqual({ kind: 'status', state: 'finished', step: 3, seq: 0 });
    expect(server!.asked[0]!.headers.authorization).toBe(`Bearer ${TOKEN}`);
  });

  test('a stream cut anywhere goes on where it broke off: nothing missed, nothing twice', async () => {
    const bytes = new TextEncoder().encode(WHOLE);
    // Every connection gives a little more than the one before, and breaks.
    for (const stride of [97, 500, bytes.length - 1]) {
      let cut = stride;
      const sidecar = await start(({ headers }) => {
        const after = Number(headers['last-event-id'] ?? 0);
        const rest = new TextEncoder().encode(
          RUN.slice(after)
            .map((event, i) => message(after + i + 1, event))
            .join('') + END,
        );
        const now = cut;
        cut += stride;
        return now < rest.length
          ? { headers: STREAM, body: [rest.slice(0, now)], ending: 'cut' }
          : { headers: STREAM, body: [rest] };
      });
      expect(eventsOf(await all(sidecar.watch(ID)))).toEqual(RUN);
      await server!.close();
    }
  });

  test('a stream that ends without saying so is taken up again', async () => {
    const sidecar = await start((_, count) =>
      count === 0
        ? { headers: STREAM, body: [message(1, started)] }
        : {
            headers: STREAM,
            body: RUN.slice(1)
              .map((event, i) => message(i + 2, event))
              .concat(END),
          },
    );
    expect(eventsOf(await all(sidecar.watch(ID)))).toEqual(RUN);
    expect(server!.asked[1]!.headers['last-event-id']).toBe('1');
  });

  test('a sidecar that is gone for a while', async () => {
    const sidecar = await start((_, count) =>
      count < 3 ? { status: 503, body: ['{"detail":"starting"}'] } : { headers: STREAM, body: [WHOLE] },
    );
    expect(eventsOf(await all(sidecar.watch(ID)))).toEqual(RUN);
  });

  test('gives up after its patience, and leaves at once when told to', async () => {
    const sidecar = await start(() => ({ status: 503, body: ['{}'] }));
    const impatient = new Sidecar(server!.url, null, { reconnectMs: 1, reconnectTimeoutMs: 20 });
    await expect(all(impatient.watch(ID))).rejects.toMatchObject({ code: 'overloaded' });
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 20);
    await expect(all(sidecar.watch(ID, 0, abort.signal))).rejects.toMatchObject({ name: 'AbortError' });
  });

  test.each<[string, Script, string]>([
    ['an unknown run', json({ detail: 'there is no such run' }, 404), 'path'],
    ['a wrong token', json({ detail: `not ${TOKEN}` }, 401), 'auth'],
    [
      'a web page with a script',
      { headers: { 'Content-Type': 'text/html' }, body: ['<script>alert(1)</script>'] },
      'html',
    ],
    ['something else', json({ a: 1 }), 'protocol'],
    ['another place', { status: 302, headers: { Location: 'http://127.0.0.1:1/' } }, 'redirect'],
    ['an event twice', { headers: STREAM, body: [message(1, started), message(1, started)] }, 'protocol'],
    ['a gap', { headers: STREAM, body: [message(2, step(1))] }, 'protocol'],
    ['an event that is none', { headers: STREAM, body: [message(1, { type: 'step', step: '<b>' })] }, 'protocol'],
    ['no JSON', { headers: STREAM, body: ['id: 1\nevent: run\ndata: <script>\n\n'] }, 'protocol'],
    ['a state that is none', { headers: STREAM, body: ['event: state\ndata: {"state":"exploded"}\n\n'] }, 'protocol'],
  ])('%s is an error, and not tried again', async (_name, script, code) => {
    const sidecar = await start(() => script);
    const error = (await all(sidecar.watch(ID)).catch((reason: unknown) => reason)) as RemoteError;
    expect(error).toBeInstanceOf(RemoteError);
    expect(error.code).toBe(code);
    expect(error.message).not.toContain(TOKEN);
    expect(error.message).not.toContain('<script>');
    expect(server!.asked).toHaveLength(1);
  });
});

test('an id that is none never reaches an address', async () => {
  const sidecar = await start(() => json({}));
  for (const id of ['..', '', 'a/../b', ID.toUpperCase(), `${ID}?x`]) {
    await expect(sidecar.run(id)).rejects.toMatchObject({ code: 'path' });
    await expect(sidecar.command(id, 'stop')).rejects.toMatchObject({ code: 'path' });
  }
  expect(server!.asked).toHaveLength(0);
});

test("what a server refuses is told in its own words, without markup's effect and without the token", async () => {
  const sidecar = await start(() => json({ detail: `config.model: no\u202e such ${TOKEN} model` }, 422));
  const error = (await sidecar.create(defaultRunConfig).catch((reason: unknown) => reason)) as RemoteError;
  expect(error.message).toContain('config.model: no such [key] model');
});

describe('a refused setting', () => {
  test('is named, without the token', async () => {
    const detail = [
      { field: 'config.max_steps', message: `must be at least 1 (${TOKEN})` },
      { field: '', message: 'no' },
    ];
    const sidecar = await start(() => json({ detail }, 422));
    const error = (await sidecar.create(defaultRunConfig).catch((reason: unknown) => reason)) as RemoteError;
    expect(error).toMatchObject({ code: 'request', status: 422 });
    expect(error.fields).toEqual([
      { field: 'config.max_steps', message: 'must be at least 1 ([key])' },
      { field: '', message: 'no' },
    ]);
    expect(error.message).toContain('config.max_steps: must be at least 1');
    expect(JSON.stringify(error)).not.toContain(TOKEN);
  });

  test.each([['a text'], [[{ field: '<b>', message: 'x' }]], [[{ field: 'a' }]], [{}]])(
    'is none in %j',
    async (detail) => {
      const sidecar = await start(() => json({ detail }, 422));
      const error = (await sidecar.create(defaultRunConfig).catch((reason: unknown) => reason)) as RemoteError;
      expect(error.code).toBe('request');
      expect(error.fields).toEqual([]);
    },
  );
});

describe('a checkpoint', () => {
  const listed = [
    {
      step: 3,
      files: [
        { name: 'config.json', bytes: 2 },
        { name: 'model.safetensors', bytes: 5 },
      ],
    },
  ];

  test('comes file by file', async () => {
    const sidecar = await start(({ path }) =>
      path.endsWith('/checkpoints') ? json(listed) : { body: [path.endsWith('config.json') ? '{}' : '12345'] },
    );
    const progress: number[] = [];
    const [checkpoint] = await sidecar.checkpoints(ID);
    const files = await sidecar.download(ID, checkpoint!, undefined, (done, of) => progress.push(done / of));
    expect([...files].map(([name, bytes]) => [name, new TextDecoder().decode(bytes)])).toEqual([
      ['config.json', '{}'],
      ['model.safetensors', '12345'],
    ]);
    expect(progress.at(-1)).toBe(1);
  });

  test.each<[string, Script, string]>([
    ['too short', { body: ['1'] }, 'truncated'],
    ['too long', { body: ['1234567'] }, 'protocol'],
    ['cut off', { headers: { 'Content-Length': '5' }, body: ['12'], ending: 'cut' }, 'truncated'],
  ])('a file that is %s is no file', async (_name, script, code) => {
    const sidecar = await start(() => script);
    const checkpoint = { step: 3, files: [{ name: 'model.safetensors', bytes: 5 }] };
    await expect(sidecar.download(ID, checkpoint)).rejects.toMatchObject({ code });
  });

  test('with a name that leads elsewhere is refused', async () => {
    for (const name of ['../config.json', 'a/b', '.hidden', '']) {
      const sidecar = await start(() => json([{ step: 1, files: [{ name, bytes: 1 }] }]));
      await expect(sidecar.checkpoints(ID)).rejects.toMatchObject({ code: 'protocol' });
      await server!.close();
    }
  });
});

/** A run on a server, as far as its outside shows. */
class Played {
  readonly told: string[] = [];
  #seq = 0;
  #state = 'paused';
  #step = 0;
  #events: RunEvent[] = [started];

  /** Each stream ends without a word after what there is: the client comes back for more. */
  script = ({ method, path, headers, body }: Request): Script => {
    const what = path.split('/').at(-1)!;
    if (path === '/runs') this.told.push(body);
    else if (method === 'PATCH')
      this.#do('update', () => this.#events.push({ type: 'changed', step: this.#step, change: {} }));
    else if (what === 'checkpoints') return json([{ step: this.#step, files: [{ name: 'config.json', bytes: 2 }] }]);
    else if (what === 'config.json') return { body: ['{}'] };
    else if (what === 'step') this.#do(what, () => this.#events.push(step(++this.#step)));
    else if (what === 'checkpoint') this.#do(what, () => {});
    else if (what === 'resume') this.#do(what, () => (this.#state = 'running'));
    else if (what === 'pause') this.#do(what, () => (this.#state = 'paused'));
    else if (what === 'stop') {
      this.#do(what, () => {
        this.#state = 'stopped';
        this.#events.push({ type: 'finished', step: this.#step, reason: 'stopped' });
      });
    } else if (what === 'events') return this.#stream(Number(headers['last-event-id'] ?? 0));
    if (path === '/runs' || what === ID) return json(method === 'PATCH' ? { seq: this.#seq } : described(this.#state));
    return json({ seq: this.#seq });
  };

  #do(what: string, change: () => void): void {
    this.told.push(what);
    this.#seq++;
    change();
  }

  #stream(after: number): Script {
    const events = this.#events.slice(after).map((event, i) => message(after + i + 1, event));
    const ended = this.#state === 'stopped';
    return { headers: STREAM, body: [...events, stands(this.#state, this.#step, this.#seq), ended ? END : ': -\n\n'] };
  }
}

describe('the trainer', () => {
  test('starts paused, steps, changes, exports, pauses, stops', async () => {
    const played = new Played();
    const sidecar = await start(played.script);
    const trainer = new SidecarTrainer(sidecar, { precision: 'bf16' });
    const events: RunEvent[] = [];
    await trainer.start(defaultRunConfig, { event: (event) => void events.push(event) });
    expect(JSON.parse(played.told[0]!)).toEqual({
      config: defaultRunConfig,
      remote: { precision: 'bf16' },
      paused: true,
    });
    expect(events).toEqual([started]);
    expect(trainer.runId).toBe(ID);
    await trainer.step();
    expect(events.at(-1)).toEqual(step(1));
    await trainer.update({ learning_rate: 1e-5 });
    expect([...(await trainer.exportModel()).keys()]).toEqual(['config.json']);
    await trainer.resume();
    await trainer.pause();
    await trainer.stop();
    expect(events.at(-1)).toEqual({ type: 'finished', step: 1, reason: 'stopped' });
    expect(trainer.hasEnded).toBe(true);
    expect(played.told.slice(1)).toEqual(['step', 'update', 'checkpoint', 'resume', 'pause', 'stop']);
    // All of these are nothing to a run that has ended.
    await Promise.all([trainer.stop(), trainer.pause(), trainer.resume(), trainer.step()]);
    expect(played.told).toHaveLength(7);
    await expect(trainer.update({ learning_rate: 1 })).rejects.toThrow('no run');
    await expect(trainer.start(defaultRunConfig, { event: () => {} })).rejects.toThrow('used');
  });

  test('takes up a run that goes on, and lets go of it', async () => {
    const played = new Played();
    const sidecar = await start(played.script);
    const trainer = new SidecarTrainer(sidecar);
    const events: RunEvent[] = [];
    await trainer.start(defaultRunConfig, { event: (event) => void events.push(event) }, { run_id: ID, step: 0 });
    expect(events).toEqual([started]);
    expect(played.told).toEqual([]);
    trainer.detach();
    await expect(trainer.pause()).rejects.toMatchObject({ name: 'AbortError' });
    expect(played.told).not.toContain('stop');
  });

  test('a start that fails says why', async () => {
    const failed: RunEvent = { type: 'failed', step: 0, reason: 'ValueError: no such thing' };
    const stream = message(1, failed) + stands('failed', 0, 0) + END;
    const sidecar = await start(({ path }) =>
      path === '/runs' ? json(described('starting'), 201) : { headers: STREAM, body: [stream] },
    );
    const trainer = new SidecarTrainer(sidecar);
    await expect(trainer.start(defaultRunConfig, { event: () => {} })).rejects.toThrow('no such thing');
  });

  test('a server that vanishes for good ends every wait', async () => {
    const sidecar = await start(({ path }) =>
      path === '/runs'
        ? json(described('starting'), 201)
        : { status: 404, body: ['{"detail":"there is no such run"}'] },
    );
    await expect(new SidecarTrainer(sidecar).start(defaultRunConfig, { event: () => {} })).rejects.toMatchObject({
      code: 'path',
    });
  });
});

describe('deleting', () => {
  test('asks for exactly the run or data set', async () => {
    const sidecar = await start(() => ({ status: 204 }));
    await sidecar.deleteRun(ID);
    await sidecar.deleteDataset(`dataset:${ID}`);
    expect(server!.asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `DELETE /runs/${ID}`,
      `DELETE /datasets/${ID}`,
    ]);
  });

  test('what is gone already counts as deleted, and a refusal is repeated', async () => {
    const gone = await start(() => json({ detail: 'this run does not exist' }, 404));
    await gone.deleteRun(ID);
    await server!.close();
    const refusing = await start(() => json({ detail: 'The run has not ended. Stop it before you delete it.' }, 409));
    await expect(refusing.deleteRun(ID)).rejects.toThrow('Stop it before you delete it.');
    await server!.close();
    const broken = await start(() => json({ detail: 'The server could not read or write a file.' }, 500));
    await expect(broken.deleteDataset(`dataset:${ID}`)).rejects.toBeInstanceOf(RemoteError);
  });

  test.each(['', '..', `${ID}/..`, ID.toUpperCase(), `dataset:${ID}`])('sends nothing for the id %j', async (id) => {
    const sidecar = await start(() => ({ status: 204 }));
    await expect(sidecar.deleteRun(id)).rejects.toBeInstanceOf(RemoteError);
    await expect(sidecar.deleteDataset(id.replace('dataset', 'data'))).rejects.toBeInstanceOf(RemoteError);
    expect(server!.asked).toEqual([]);
  });
});

describe('what the server says of runs and data sets', () => {
  test('is read with and without what newer servers add', async () => {
    const note = 'There is no space left on the server’s disk.';
    const sidecar = await start(({ path }) =>
      json(
        path === '/datasets'
          ? [
              { task: `dataset:${ID}`, problem: 'x.json can’t be read.' },
              { task: `dataset:${ID}`, hub: null, rows: 3 },
            ]
          : [described(), { ...described('failed'), note, bytes: 7_700_000_000, config: null }],
      ),
    );
    expect(await sidecar.runs()).toMatchObject([{ note: null }, { note, bytes: 7_700_000_000, config: null }]);
    expect(await sidecar.datasets()).toMatchObject([{ problem: 'x.json can’t be read.' }, { rows: 3 }]);
  });
});
