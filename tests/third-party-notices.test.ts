/** @file The licences of what the build contains: found by the modules that were bundled, and never left out. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { packageFolder, readPackage } from '../scripts/third-party-notices';

const made: string[] = [];
afterEach(() => made.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));

function makePackage(json: object, files: Record<string, string> = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'tinythink-notices-'));
  made.push(root);
  const folder = join(root, 'node_modules/@scope/thing');
  mkdirSync(join(folder, 'dist'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: '@scope/thing', version: '1.2.3', ...json }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

describe('third-party notices', () => {
  it('a module belongs to the package in whose folder it lies', () => {
    const folder = makePackage({ license: 'MIT' });
    for (const id of ['index.js', 'dist/a.js?worker', 'dist/b.css'])
      expect(packageFolder(`${folder}/${id}`)).toBe(folder);
    expect(packageFolder(`\0${folder}/dist/a.js?commonjs`)).toBe(folder);
    for (const id of ['/app/src/ui/App.svelte', '\0vite/preload-helper.js', '/x/node_modules/gone/index.js']) {
      expect(packageFolder(id)).toBeNull();
    }
  });

  it.each(['LICENSE', 'LICENSE.md', 'license.txt', 'LICENCE', 'COPYING', 'LICENSE-MIT'])('reads %s', (file) => {
    const read = readPackage(
      makePackage({ license: 'ISC', repository: { url: 'https://x.org' } }, { [file]: 'Words\n' }),
    );
    expect(read).toEqual({
      name: '@scope/thing',
      version: '1.2.3',
      licence: 'ISC',
      source: 'https://x.org',
      text: 'Words',
    });
  });

  it('knows the text of the MIT licence where a package only names it, and no other', () => {
    const { text } = readPackage(makePackage({ license: 'MIT', author: { name: 'Ann' } }));
    expect(text).toMatch(/^MIT License\n\nCopyright \(c\) Ann\n\nPermission is hereby granted[^]*WARRANTY/);
    for (const json of [{}, { license: 'Apache-2.0' }, { license: 'UNLICENSED' }]) {
      expect(() => readPackage(makePackage(json))).toThrow('@scope/thing has no file with its licence');
    }
    // A file that isn't a licence is none.
    expect(() => readPackage(makePackage({}, { 'licenser.js': '' }))).toThrow();
  });
});
