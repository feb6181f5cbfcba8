/** @file The engine in Node: models from disk, devices from Dawn. */
import { readFile } from 'node:fs/promises';
import { LocalEngine } from '../engine/local-engine';
import type { TrainingOptions } from '../engine/open';
import { parseDataset, sftExamples } from '../eval/distillation';
import { readPeft } from '../formats/hf/peft';
import type { Model } from '../formats/model';
import { openModel } from '../formats/open-model';
import { loraTargets } from '../model/lora/lora-layout';
import type { SftExample } from '../rl/sft/sft-examples';
import { openGpu } from './gpu';
import { modelFiles } from './model-files';
import { UsageError } from './options';

/**
 * The model in a folder or a .gguf file.
 * @param adapter a PEFT folder to be added to it
 * @throws Error with a message for the user
 */
export async function openModelAt(path: string, adapter?: string): Promise<Model> {
  const model = await openModel(await modelFiles(path));
  if (adapter === undefined) return model;
  const read = await readPeft(await modelFiles(adapter), loraTargets(model.config));
  return { ...model, baseName: model.name, adapter: read };
}

/** @param dataset a file that `distil` wrote, for the supervised start */
export const nodeEngine = (training: TrainingOptions = {}, dataset?: string): LocalEngine =>
  new LocalEngine({ gpu: openGpu, examples: () => readExamples(dataset), training });

/** @throws UsageError when there is no such file; DatasetError */
async function readExamples(path: string | undefined): Promise<SftExample[]> {
  const text = path === undefined ? null : await readFile(path, 'utf8').catch(() => null);
  if (text === null) throw new UsageError(`there is no data set at ${path}`);
  const { samples, wrong, repeated } = parseDataset(text);
  if (wrong + repeated > 0) console.warn(`${path}: skipped ${wrong} wrong and ${repeated} repeated lines`);
  return sftExamples(samples);
}
