/**
 * @file Stored records as this version reads them. A record may be damaged, or written by a later version, and then it is
 * neither used nor thrown away: it becomes an `UnreadableRecord`, which the pages show with a way to export and delete it.
 */
import * as v from 'valibot';
import { t } from '../i18n';

/** A record that is stored and can't be read. */
export interface UnreadableRecord {
  /** Its key in the table. */
  key: IDBValidKey;
  /** What to call it: its own name if that can be read, otherwise its key. */
  name: string;
  /** Why it can't be read, as a sentence. */
  reason: string;
}

/** Why a stored value isn't a record, as a sentence for the user. */
export class RecordError extends Error {
  override name = 'RecordError';
}

/** What was asked for is stored, but can't be read. */
export class UnreadableError extends Error {
  override name = 'UnreadableError';

  constructor(
    readonly record: UnreadableRecord,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Makes a record of a stored value. @throws RecordError */
export type Reader<T> = (stored: unknown, key: IDBValidKey) => T;

/**
 * A reader of records that a schema describes. Keys that the schema doesn't know are left out, but a `version` above 1 says
 * that the record means something else: whoever changes the meaning of a record sets one.
 * @param field the field that repeats the record's key
 */
export function recordReader<T>(schema: v.GenericSchema<unknown, T>, field?: keyof T & string): Reader<T> {
  return (stored, key) => {
    if (isLater(stored)) throw new RecordError(t('storage:unreadable.later'));
    const result = v.safeParse(schema, stored, { abortEarly: true });
    if (!result.success) {
      const path = v.getDotPath(result.issues[0]);
      throw new RecordError(path ? t('storage:unreadable.wrongField', { path }) : t('storage:unreadable.noRecord'));
    }
    if (field !== undefined && result.output[field] !== key) {
      throw new RecordError(t('storage:unreadable.wrongField', { path: field }));
    }
    return result.output;
  };
}

const isLater = (stored: unknown): boolean => {
  const { version } = (stored ?? {}) as { version?: unknown };
  return typeof version === 'number' && version > 1;
};

/** Bytes, as checkpoints, compressed lines and the files of a model are stored. */
export const bytesSchema = v.custom<Uint8Array<ArrayBuffer>>((value) => isBytes(value));

// Not instanceof, which is false for what comes from another realm, as in tests.
export const isBytes = (value: unknown): value is Uint8Array<ArrayBuffer> =>
  Object.prototype.toString.call(value) === '[object Uint8Array]';

/** What is known of a value that a reader refused. */
export function unreadable(key: IDBValidKey, stored: unknown, error: unknown): UnreadableRecord {
  // Only readers' own words are for the user.
  const reason = error instanceof RecordError ? error.message : t('storage:unreadable.noRecord');
  return { key, name: nameOf(stored) || showKey(key), reason };
}

function nameOf(stored: unknown): string {
  const { name, label, title } = (stored ?? {}) as Record<string, unknown>;
  const found = [name, label, title].find((each) => typeof each === 'string' && each.trim() !== '');
  return typeof found === 'string' ? found.slice(0, 100) : '';
}

/** A key as people see it. */
export const showKey = (key: IDBValidKey): string =>
  (typeof key === 'string' ? key : JSON.stringify(key) || String(key)).slice(0, 100);

/** The newest first. */
export const newestFirst = <T extends { created: number }>(records: readonly T[]): T[] =>
  [...records].sort((a, b) => b.created - a.created);
