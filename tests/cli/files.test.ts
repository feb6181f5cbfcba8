import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { JsonLines, writeFolder, writeWhole } from '../../src/cli/files';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'tinythink-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));
const text = (path: string) => readFile(join(folder, path), 'utf8');

describe('writing', () => {
  test('writes a model folder, subfolders too, and leaves no drafts', async () => {
    const bytes = (content: string) => new TextEncoder().encode(content);
    await writeFolder(
      join(folder, 'out'),
      new Map([
        ['config.json', bytes('c')],
        ['sub/x', bytes('x')],
      ]),
    );
    expect(await text('out/config.json')).toBe('c');
    expect(await text('out/sub/x')).toBe('x');
    expect((await readdir(folder, { recursive: true })).filter((name) => name.includes('tmp'))).toEqual([]);
    await expect(writeFolder(folder, new Map([['../x', bytes('x')]]))).rejects.toThrow('leads out');
  });

  test('a write that fails keeps what was there', async () => {
    await writeWhole(join(folder, 'a/kept'), 'old');
    await expect(writeWhole(join(folder, 'a'), 'new')).rejects.toThrow('could not write');
    expect(await text('a/kept')).toBe('old');
    expect(await readdir(folder)).toEqual(['a']);
  });
});

describe('JsonLines', () => {
  test('keeps the order without waiting for each line, and appends or starts over as asked', async () => {
    const path = join(folder, 'logs/events.jsonl');
    const first = await JsonLines.open(path, 'nothing');
    for (let i = 0; i < 100; i++) first.write({ i });
    await first.close();
    const lines = (await text('logs/events.jsonl')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).i)).toEqual(Array.from({ length: 100 }, (_, i) => i));

    const second = await JsonLines.open(path, 'all');
    second.write('more');
    await second.close();
    expect((await text('logs/events.jsonl')).trimEnd().split('\n')).toHaveLength(101);

    await (await JsonLines.open(path, 'nothing')).close();
    expect(await text('logs/events.jsonl')).toBe('');
  });

  // Linux has a device that is always full.
  test.skipIf(process.platform !== 'linux')('a failed write is reported, once asked', async () => {
    const lines = await JsonLines.open('/dev/full', 'all');
    lines.write(1);
    await expect(lines.close()).rejects.toThrow('could not write /dev/full');
  });
});
