/** @file The files of a model folder on disk: read by ranges, and never from outside of the folder. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { modelFiles } from '../../src/cli/model-files';
import { readWhole } from '../../src/formats/files/whole-file';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'tinythink-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

test('reads a file, and null for one that is not there', async () => {
  await writeFile(join(folder, 'config.json'), '{}');
  const files = await modelFiles(folder);
  expect(new TextDecoder().decode(await readWhole((await files.open('config.json'))!, 100))).toBe('{}');
  expect(await files.open('missing.json')).toBeNull();
  expect(await files.list()).toEqual(['config.json']);
});

test.each(['../secret', 'a/../../secret', '/etc/passwd', '..'])('does not leave the folder: %s', async (path) => {
  const files = await modelFiles(folder);
  await expect((async () => files.open(path))()).rejects.toThrow('leads out of the folder');
});

test('a folder where a file should be is an error that names it, not a missing file', async () => {
  const file = await (await modelFiles(folder)).open('.');
  await expect(readWhole(file!, 1 << 20)).rejects.toThrow(`could not read ${folder}`);
});

test('says when there is no model at a path, or another kind of file', async () => {
  await expect(modelFiles(join(folder, 'none'))).rejects.toThrow(`there is no model at ${join(folder, 'none')}`);
  await writeFile(join(folder, 'notes.txt'), 'x');
  await expect(modelFiles(join(folder, 'notes.txt'))).rejects.toThrow('neither a folder nor a .gguf file');
});
