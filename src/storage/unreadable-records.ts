/**
 * @file The unreadable records of one kind: they are listed, exported with everything that belongs to them, and deleted.
 * Nothing of them is interpreted here, so that no record is too damaged for it.
 */
import type { ExportedFile } from '../runs/exchange';
import { isBytes, showKey, type UnreadableRecord } from './records';
import type { Stored, Table } from './database';

/** Files by name. */
export type Files = Map<string, Uint8Array<ArrayBuffer>>;

export interface UnreadableParts {
  of: Stored;
  /** The table of the records themselves. */
  table: Pick<Table<unknown, IDBValidKey>, 'raw'>;
  find: () => Promise<UnreadableRecord[]>;
  /** What belongs to a record in other tables, as files. */
  belongings?: (key: IDBValidKey) => Promise<Files>;
  /** Deletes a record with everything that belongs to it. */
  remove: (key: IDBValidKey) => Promise<void>;
}

export class UnreadableRecords {
  readonly of: Stored;

  constructor(private readonly parts: UnreadableParts) {
    this.of = parts.of;
  }

  /** @throws StorageError */
  list(): Promise<UnreadableRecord[]> {
    return this.parts.find();
  }

  /** Everything that is stored of a record: one file, or a zip of several. @throws StorageError */
  async export({ key, name }: UnreadableRecord): Promise<ExportedFile> {
    const files: Files = new Map();
    // A record that the disk has lost can't be exported, but what belongs to it can.
    const stored = await this.parts.table.raw(key).catch(() => undefined);
    if (stored !== undefined) {
      const text = typeof stored === 'string';
      files.set(text ? 'record.txt' : 'record.json', new TextEncoder().encode(text ? stored : toJson(stored)));
    }
    for (const [path, bytes] of (await this.parts.belongings?.(key)) ?? []) files.set(path, bytes);
    const base = `${fileName(name) || fileName(showKey(key)) || 'record'}-unreadable`;
    const [only] = files;
    if (files.size !== 1) {
      // Loaded late, because hardly anybody needs it.
      const { packZip } = await import('../base/zip');
      return { name: `${base}.zip`, type: 'application/zip', bytes: packZip(files) };
    }
    const ending = /\.\w+$/.exec(only![0])?.[0] ?? '';
    return { name: `${base}${ending}`, type: 'application/octet-stream', bytes: only![1] };
  }

  /** @throws StorageError */
  delete({ key }: UnreadableRecord): Promise<void> {
    return this.parts.remove(key);
  }
}

/** Values of any kind that IndexedDB can hold, as files: bytes as they are, anything else as JSON. */
export const fileOf = (name: string, stored: unknown): [string, Uint8Array<ArrayBuffer>] =>
  isBytes(stored) ? [name, stored] : [`${name}.json`, new TextEncoder().encode(toJson(stored))];

/** JSON of any value that IndexedDB can hold, with what JSON doesn't know in words. */
export function toJson(stored: unknown): string {
  // The objects from the root down to the one that is being written.
  const path: unknown[] = [];
  return (
    JSON.stringify(
      stored,
      function (this: unknown, _key, value: unknown) {
        while (path.length > 0 && path.at(-1) !== this) path.pop();
        if (typeof value === 'bigint' || Number.isNaN(value)) return String(value);
        if (typeof value !== 'object' || value === null) return value;
        if (path.includes(value)) return '(itself)';
        const plain = inJson(value);
        path.push(plain);
        return plain;
      },
      2,
    ) ?? 'undefined'
  );
}

function inJson(value: object): object {
  if (isBytes(value)) return { base64: toBase64(value) };
  return value instanceof Map || value instanceof Set ? [...value] : value;
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  // In pieces, because a function takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

const fileName = (name: string): string =>
  name
    .normalize('NFKD')
    .replace(/[^\w.-]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 60);
