/**
 * @file A part of the build: third-party-notices.txt, with the licence of every package whose code is in the app. It is
 * made from what was bundled, in the page, in the workers and in the service worker, so that it can't go out of date.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Plugin } from 'vite';

export const NOTICES_FILE = 'third-party-notices.txt';

/** The service worker is bundled by workbox-build, after everything else, from these. */
const SERVICE_WORKER = ['workbox-core', 'workbox-precaching', 'workbox-routing', 'workbox-strategies'];

interface Package {
  name: string;
  version: string;
  licence: string;
  source: string;
  /** The text of its licence files. */
  text: string;
}

/** Two plugins with one memory: the first goes into each bundle, the second also writes the file. */
export function thirdPartyNotices(): { collect: () => Plugin; write: Plugin } {
  const folders = new Set<string>();
  const collect: Plugin['generateBundle'] = (_options, bundle) => {
    for (const chunk of Object.values(bundle)) {
      for (const id of chunk.type === 'chunk' ? chunk.moduleIds : []) {
        const folder = packageFolder(id);
        if (folder) folders.add(folder);
      }
    }
  };
  return {
    collect: () => ({ name: 'collect-notices', apply: 'build', generateBundle: collect }),
    write: {
      name: 'write-notices',
      apply: 'build',
      generateBundle(options, bundle, isWrite) {
        (collect as (...args: unknown[]) => void).call(this, options, bundle, isWrite);
        const resolve = createRequire(createRequire(import.meta.url).resolve('workbox-build')).resolve;
        for (const name of SERVICE_WORKER) {
          const folder = packageFolder(resolve(`${name}/package.json`));
          if (folder) folders.add(folder);
        }
        // CSS and fonts are no modules of a chunk.
        const packages = [...folders].map(readPackage).sort((a, b) => (a.name < b.name ? -1 : 1));
        this.emitFile({ type: 'asset', fileName: NOTICES_FILE, source: notices(packages) });
      },
    },
  };
}

/** The folder of the package that a module belongs to; null for the app's own and for virtual ones. */
export function packageFolder(id: string): string | null {
  const path = id.replace(/^\0/, '').replace(/\?.*$/, '');
  const match = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path);
  return match && existsSync(join(match[1]!, 'package.json')) ? match[1]! : null;
}

/** @throws Error for a package whose licence isn't known: nobody may distribute that */
export function readPackage(folder: string): Package {
  const { name, version, license, repository, author } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as {
    name: string;
    version: string;
    license?: string;
    repository?: string | { url?: string };
    author?: string | { name?: string };
  };
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)(\b|[-_.])/i.test(file));
  const text = files.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n');
  const by = (typeof author === 'string' ? author : author?.name) ?? `the authors of ${name}`;
  return {
    name,
    version,
    licence: license ?? 'see below',
    source: (typeof repository === 'string' ? repository : repository?.url) ?? `https://www.npmjs.com/package/${name}`,
    text: text || withoutFile(name, license, by),
  };
}

/** Some packages only name their licence. The MIT licence is the same for all; any other has to be looked up. */
function withoutFile(name: string, licence: string | undefined, by: string): string {
  if (licence !== 'MIT') throw new Error(`${name} has no file with its licence (${licence ?? 'not named'}).`);
  const mit = readFileSync(new URL('../LICENSE', import.meta.url), 'utf8');
  return `MIT License\n\nCopyright (c) ${by}\n\n${mit.slice(mit.indexOf('Permission is hereby granted')).trim()}`;
}

function notices(packages: readonly Package[]): string {
  const rule = '='.repeat(100);
  const each = packages.map(
    ({ name, version, licence, source, text }) =>
      `${rule}\n${name} ${version}\nLicence: ${licence}\nSource: ${source}\n\n${text}\n`,
  );
  return [
    'tinythink includes code of these packages. tinythink itself is under the MIT licence.\n',
    packages.map(({ name, version, licence }) => `  ${name} ${version} (${licence})`).join('\n'),
    '',
    ...each,
  ].join('\n');
}
