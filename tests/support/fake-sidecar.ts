/** @file A sidecar without Python for unit tests: the routes of tinythink-remote with made-up answers. */
import { defaultRunConfig } from '../../src/runs/config';
import { startFaultServer, type Request, type Script } from './fault-server';

export const FAKE_TOKEN = 'correct-horse-battery-staple';

/** An answer in place of every other one. */
interface Refusal {
  status: number;
  detail: unknown;
}

export interface FakeSidecar {
  url: string;
  run: { id: string };
  requests: Request[];
  /** The files of each checkpoint, by step. */
  checkpoints: Readonly<Record<number, Readonly<Record<string, Buffer>>>>;
  refuse: Refusal | null;
  /** Of uploaded data sets, by their names as tasks. */
  datasets: Set<string>;
  /** Why its data sets can't be read; empty if they can. */
  broken: string;
  /** Whether its run was deleted. */
  deleted: boolean;
  /** Sends the beginning of a file and then nothing. */
  hold: boolean;
  close(): Promise<void>;
}

const INFO = {
  name: 'tinythink-remote',
  version: '0.1.0',
  models: ['tinythink-1m'],
  hub: [],
  tasks: ['sum'],
  rewards: ['accuracy'],
  gpus: 2,
  vllm: false,
  deepspeed: false,
  peft: true,
};

const DATASET = 'dataset:0123456789abcdef';

const json = (value: unknown, status = 200): Script => ({ status, body: [JSON.stringify(value)] });

export async function startFakeSidecar(
  change: Partial<Pick<FakeSidecar, 'checkpoints' | 'refuse'>> = {},
): Promise<FakeSidecar> {
  const run = {
    id: '0123456789abcdef',
    created: 1,
    state: 'paused',
    step: 0,
    seq: 0,
    events: 0,
    config: defaultRunConfig,
    remote: {},
  };
  const answer = (request: Request): Script | undefined => {
    const { method, path, body } = request;
    if (fake.refuse) return json({ detail: fake.refuse.detail }, fake.refuse.status);
    const [, first, id, kind, step, name] = path.split('/');
    if (path === '/info') return json(INFO);
    if (path === '/datasets' && method === 'GET')
      return json(
        [...fake.datasets].map((task) => ({ task, ...(fake.broken ? { problem: fake.broken } : { rows: 1 }) })),
      );
    if (path === '/datasets') {
      fake.datasets.add(DATASET);
      return json({ task: DATASET, rows: body.trim().split('\n').length }, 201);
    }
    if (method === 'DELETE' && first === 'datasets')
      return fake.datasets.delete(`dataset:${id}`) ? { status: 204 } : undefined;
    if (path === '/runs') return method === 'GET' ? json(fake.deleted ? [] : [run]) : json(run, 201);
    if (method === 'DELETE' && id === run.id && kind === undefined) {
      if (fake.deleted) return undefined;
      fake.deleted = true;
      return { status: 204 };
    }
    if (first !== 'runs' || id !== run.id) return undefined;
    if (kind === undefined) return json(run);
    if (method === 'POST') return json({ seq: 1 });
    if (kind === 'logs') return { headers: { 'Content-Type': 'text/plain' }, body: ['step 1\nstep 2\n'] };
    if (kind !== 'checkpoints') return undefined;
    if (step === undefined) return json(listOf(fake.checkpoints));
    const file = fake.checkpoints[Number(step)]?.[name ?? ''];
    if (!file) return undefined;
    const headers = { 'Content-Type': 'application/octet-stream' };
    return fake.hold ? { headers, body: [file.subarray(0, 1)], ending: 'hold' } : { headers, body: [file] };
  };
  const server = await startFaultServer(answer);
  const fake: FakeSidecar = {
    url: server.url,
    run,
    requests: server.asked,
    checkpoints: {},
    refuse: null,
    datasets: new Set(),
    broken: '',
    deleted: false,
    hold: false,
    close: () => server.close(),
    ...change,
  };
  return fake;
}

const listOf = (checkpoints: FakeSidecar['checkpoints']) =>
  Object.entries(checkpoints).map(([step, files]) => ({
    step: Number(step),
    files: Object.entries(files).map(([name, bytes]) => ({ name, bytes: bytes.length })),
  }));
