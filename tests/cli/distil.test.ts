/** @file `tinythink distil` with a teacher on a server: what is kept, faults, a break and going on, and where the key is not. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { distil } from '../../src/cli/commands/distil';
import { parseDataset } from '../../src/eval/distillation';
import { buildProblems } from '../../src/eval/problem-set';
import type { ChatModel } from '../../src/runs/chat-model';
import { serveChatModel, type ChatModelServer, type ChatModelServerOptions } from '../support/policy-server';

const problems = buildProblems({ kind: 'teaching', task: 'sum', difficulty: 3, n: 6, seed: 0, notation: 'short' });

/** Right about all problems but the second. */
const teacher: ChatModel = {
  name: 'teacher',
  async *generate({ messages, seed }) {
    await Promise.resolve();
    const at = problems.findIndex(({ prompt }) => messages[0]!.content.endsWith(`\n${prompt}`));
    const answer = at === 1 ? 'wrong' : problems[at]!.answer;
    for (const text of ['<think>', `${seed}+`, '0=', `${seed}`, '</think>', `<answer>${answer}</answer>`])
      yield { text };
  },
};

let folder: string;
let server: ChatModelServer;
const printed: string[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distil-'));
  for (const method of ['log', 'error'] as const) {
    vi.spyOn(console, method).mockImplementation((text: string) => void printed.push(text));
  }
});
afterEach(async () => {
  server?.close();
  vi.restoreAllMocks();
  printed.length = 0;
  await rm(folder, { recursive: true });
});

const serve = async (options: ChatModelServerOptions = {}) => (server = await serveChatModel(teacher, options));
const out = () => join(folder, 'data.jsonl');
const run = (...more: string[]) =>
  distil([
    ...['--teacher', server.url, '--task', 'sum', '--difficulty', '3', '--n', '6', '--k', '2', '--out', out()],
    ...['--concurrency', '1', ...more],
  ]);
const kept = async () => parseDataset(await readFile(out(), 'utf8'));

describe('distil', () => {
  it('keeps the right answers of a server’s model', async () => {
    await serve();
    await run();
    const { samples, wrong, repeated } = await kept();
    expect([samples.length, wrong, repeated]).toEqual([10, 0, 0]);
    expect(samples[0]).toMatchObject({
      ...{ problem: problems[0]!.prompt, reasoning: '0+0=0', teacher: { model: 'teacher', server: 'vllm' }, seed: 0 },
      ...{ tokens: 6, sampling: { temperature: 0.7, top_p: 0.95 } },
    });
    expect(printed.join('\n')).toMatch(
      /10 of 12 answers kept \(83\.3%\), to 5 of 6 problems[^]*2 × The answer is wrong/,
    );
  });

  it('asks again where the server says so, keeps nothing that was cut off, and goes on after a break', async () => {
    // The first is told to come back, the fourth is cut off; from the sixth on the server is out of order.
    const fault = (asked: number) =>
      asked === 0
        ? { status: 429, retryAfter: 0 }
        : asked === 3
          ? { cutAfter: 2 }
          : asked >= 6 && asked < 9
            ? { status: 500 }
            : null;
    await serve({ fault });
    await expect(run()).rejects.toThrow(/out of order|not now|failed/);
    const before = await readFile(`${out()}.answers.jsonl`, 'utf8');
    // One line for what was asked for, and one for each whole answer.
    const there = before.trim().split('\n').length - 1;
    expect(there).toBeGreaterThan(2);
    expect(there).toBeLessThan(12);
    const asked = server.asked.length;
    await run();
    expect(server.asked.length - asked).toBe(12 - there);
    expect((await kept()).samples).toHaveLength(10);
    // Asking for more goes on from there, too; other settings don't.
    await run('--k', '3');
    expect((await kept()).samples).toHaveLength(15);
    await expect(run('--temperature', '0.1')).rejects.toThrow('asked for otherwise');
  });

  it('takes a key from the environment alone, and writes it nowhere', async () => {
    await serve();
    vi.stubEnv('TINYTHINK_KEY', 'sk-never-to-be-seen');
    await run('--n', '2');
    vi.unstubAllEnvs();
    const everything = [await readFile(out(), 'utf8'), await readFile(`${out()}.answers.jsonl`, 'utf8'), ...printed];
    expect(everything.join('\n')).not.toContain('sk-never');
    expect(everything.join('\n')).not.toContain(new URL(server.url).port);
    await expect(run('--key', 'x')).rejects.toThrow('unknown option');
  });

  it.each([
    [['--notation', 'long'], 'short or free'],
    [['--n', '0'], 'whole number'],
    [['--server-kind', 'skynet'], '--server-kind takes'],
    [['--task', 'poetry'], "no task 'poetry'"],
  ])('refuses %j', async (args, message) => {
    await serve();
    await expect(run(...args)).rejects.toThrow(message);
  });
});
