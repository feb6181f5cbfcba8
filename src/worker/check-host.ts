/**
 * @file The disposable worker's side (check.worker.ts): reads what came from outside and isn't trusted yet. Whatever goes
 * wrong here, a loop that never ends or memory that runs out, the engine and the page go on.
 */
import { transfer } from 'comlink';
import type { ModelDownloads } from '../engine/library/downloads';
import { unpackModelZip } from '../formats/hf/model-zip';
import type { ModelAddress } from '../formats/hub/model-address';
import type { ModelSummary } from '../formats/hub/stored-model';
import { importFile, type ImportedFile } from '../runs/exchange';

export interface CheckApi {
  ping(): void;
  /** Looks at a model: downloads its config, its tokenizer and the list of its weights, and opens them. */
  inspectModel(address: ModelAddress, signal?: AbortSignal): Promise<ModelSummary>;
  /** Unpacks a zipped model or adapter, and opens it. */
  importZip(name: string, file: Blob): Promise<ImportedFile>;
  unpackZip(file: Blob): Promise<Map<string, Uint8Array<ArrayBuffer>>>;
}

export class CheckHost implements CheckApi {
  constructor(private readonly downloads?: ModelDownloads) {}

  ping(): void {}

  async inspectModel(address: ModelAddress, signal?: AbortSignal): Promise<ModelSummary> {
    const { ModelDownloads } = await import('../engine/library/downloads');
    return (this.downloads ?? new ModelDownloads()).inspect(address, signal);
  }

  async importZip(name: string, file: Blob): Promise<ImportedFile> {
    const imported = await importFile(name, await bytesOf(file));
    return imported.kind === 'model' ? transfer(imported, buffersOf(imported.files)) : imported;
  }

  async unpackZip(file: Blob): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
    const files = unpackModelZip(await bytesOf(file));
    return transfer(files, buffersOf(files));
  }
}

const bytesOf = async (file: Blob) => new Uint8Array(await file.arrayBuffer());

/** Each once. */
const buffersOf = (files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>) => [
  ...new Set([...files.values()].map(({ buffer }) => buffer)),
];
