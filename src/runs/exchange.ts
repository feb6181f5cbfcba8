/** @file Runs and models as files: what a person downloads, and what they open again here or elsewhere. */
import { messageOf } from '../base/errors';
import { mapFiles } from '../formats/files/memory-files';
import { unpackModelZip } from '../formats/hf/model-zip';
import { baseOfAdapter, PEFT_CONFIG } from '../formats/hf/peft';
import { openModel } from '../formats/open-model';
import { packZip } from '../base/zip';
import type { RunEvent } from './events';
import { parseEvents, serializeEvents } from './event-schema';

export interface ExportedFile {
  name: string;
  type: string;
  bytes: Uint8Array<ArrayBuffer>;
}

export type ImportedFile =
  { kind: 'run'; events: RunEvent[] } | { kind: 'model'; name: string; files: Map<string, Uint8Array<ArrayBuffer>> };

/** Larger files are refused before they are read as text: a string in a browser ends at about 2^29 characters. */
const MAX_EVENTS_BYTES = 2 ** 29 - 24;

export function exportEvents(runName: string, events: Iterable<RunEvent>): ExportedFile {
  const bytes = new TextEncoder().encode(serializeEvents(events));
  return { name: `${fileName(runName)}.jsonl`, type: 'application/jsonl', bytes };
}

/** A model folder's files as a zip, in one folder of the run's name. */
export function exportModelZip(runName: string, files: ReadonlyMap<string, Uint8Array>): ExportedFile {
  const folder = fileName(runName);
  const inFolder = new Map([...files].map(([path, bytes]) => [`${folder}/${path}`, bytes]));
  return { name: `${folder}.zip`, type: 'application/zip', bytes: packZip(inFolder) };
}

/**
 * Reads a file that a person gave: a run's events, or a model or adapter folder in a zip.
 * @throws Error with a message for the user; nothing is stored
 */
export async function importFile(name: string, bytes: Uint8Array): Promise<ImportedFile> {
  const isZip = bytes[0] === 0x50 && bytes[1] === 0x4b;
  if (isZip) {
    const files = unpackModelZip(bytes);
    const model =
      name
        .replace(/\.zip$/i, '')
        .replace(/[^\w. -]/g, '_')
        .slice(0, 100) || 'model';
    const source = mapFiles(name, files);
    // What can't be computed, or lacks a part, is refused now and not when it is used.
    await (files.has(PEFT_CONFIG) ? baseOfAdapter(source) : openModel(source));
    return { kind: 'model', name: model, files };
  }
  if (bytes.length > MAX_EVENTS_BYTES) throw new Error(`${name} is too large to be read here: ${bytes.length} bytes`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new Error(`${name} is neither a run (.jsonl) nor a model (.zip)`, { cause: error });
  }
  try {
    return { kind: 'run', events: parseEvents(text) };
  } catch (error) {
    throw new Error(`${name}: ${messageOf(error)}`, { cause: error });
  }
}

/** A name that every file system takes. */
function fileName(text: string): string {
  const plain = text
    .normalize('NFKD')
    .replace(/[^\w.-]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '');
  return plain.slice(0, 80) || 'run';
}
