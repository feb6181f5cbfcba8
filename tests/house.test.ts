/**
 * @file Rules about the code as a whole: one name for each thing, small folders and files, and no circles among imports.
 * What doesn't keep them is listed here, with the reason.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';

/** Names that stood for one of two parallel stacks, or that nobody could guess. What to write instead is in CONTRIBUTING.md. */
const BANNED = [
  'FileSource',
  'GrpoSession',
  'LargePolicy',
  'LocalPolicy',
  'LoraPolicy',
  'LoraSession',
  'ModelFolder',
  'OpenedModel',
  'PATIENCE',
  'Standing',
  'Turnstile',
  'createLoraSession',
  'createSession',
  'duel',
  'elsewhere/session',
  'evaluateLarge',
  'exam',
  'isStored',
  'large-shaders',
  'learnsByAdapters',
  'loadNamedModel',
  'open-policy',
  'planLoraRun',
  'trainAdapters',
  'trainWeights',
  'whereabouts',
];

const MOST_FILES = 14;
const MOST_LINES = 400;

/** Folders that may hold more files, and why. */
const LARGE_FOLDERS: Record<string, string> = {
  'src/i18n/en': 'one namespace a page',
};

const files = ['src', 'bench'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|svelte)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name)),
);
const texts = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));
/** The catalogues are English, not code. */
const code = files.filter((file) => !file.startsWith('src/i18n/'));

test('names that must not come back', () => {
  const found = BANNED.filter((name) => {
    const word = new RegExp(`(?<![\\w-])${name}(?![\\w-])`);
    return code.some((file) => word.test(texts.get(file)!) || word.test(file));
  });
  expect(found).toEqual([]);
});

test('only src/rl and the engine ask what a config trains', () => {
  const asking = code.filter(
    (file) => !file.startsWith('src/rl/') && /lora_r\s*[!=]==?\s*null|typeof [\w.]*lora_r/.test(texts.get(file)!),
  );
  expect(asking).toEqual([]);
});

test('no folder holds too many files', () => {
  const counts = new Map<string, number>();
  for (const file of files) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  const large = [...counts].filter(([, count]) => count > MOST_FILES).map(([folder]) => folder);
  expect(large).toEqual(Object.keys(LARGE_FOLDERS));
});

test('no file is too long', () => {
  const long = files.filter(
    (file) => !file.startsWith('src/i18n/') && texts.get(file)!.trimEnd().split('\n').length > MOST_LINES,
  );
  expect(long).toEqual([]);
});

/** The files of this project that a file imports, types left out, as those are gone when it runs. */
function importsOf(file: string): string[] {
  const statements = texts
    .get(file)!
    .matchAll(/^\s*(?:import|export)\s+(?!type\b)(?:[^'";]*?\sfrom\s+)?'(\.[^'?]+)'/gm);
  return [...statements].flatMap(([, path]) => {
    const target = normalize(join(dirname(file), path!));
    return [target, `${target}.ts`, join(target, 'index.ts')].find((candidate) => texts.has(candidate)) ?? [];
  });
}

test('src never imports from bench', () => {
  const importing = files.filter(
    (file) => file.startsWith('src/') && importsOf(file).some((target) => target.startsWith('bench/')),
  );
  expect(importing).toEqual([]);
});

test('no file imports itself through others', () => {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) return void circles.push([...path.slice(at), file].join(' → '));
    if (done.has(file)) return;
    for (const target of importsOf(file)) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  // The pattern above still finds imports.
  expect(importsOf('src/storage/run-storage.ts')).toContain('src/storage/database.ts');
  expect(circles).toEqual([]);
});
