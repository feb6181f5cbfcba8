import 'fake-indexeddb/auto';
import { readFile } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { folderSource } from '../../../../src/cli/files';
import { mapSource } from '../../../../src/formats/files/file-source';
import { loadModelFolder } from '../../../../src/formats/hf/model-folder';
import { writeSafetensors } from '../../../../src/formats/hf/safetensors';
import { unpackZip } from '../../../../src/base/zip';
import { configForModel, defaultRunConfig } from '../../../../src/runs/config';
import type { RunEvent, StartedEvent } from '../../../../src/runs/events';
import { RunStorage } from '../../../../src/storage/run-storage';
import { eventsFile, modelFile, receiveFile } from '../../../../src/ui/pages/runs/transfer';

const LLAMA = 'tests/goldens/models/llama';
const started: StartedEvent = {
  type: 'started',
  schema: 1,
  run_id: 'a',
  time: '2026-01-01T00:00:00Z',
  config: { ...defaultRunConfig, model: 'llama' },
  model: { name: 'llama', parameters: 1, architecture: 'LlamaForCausalLM' },
  device: { kind: 'webgpu', description: 'test' },
  seed: 0,
};
const events: RunEvent[] = [started, { type: 'finished', step: 0, reason: 'stopped' }];

let storage: RunStorage;
let count = 0;
beforeEach(async () => {
  storage = new RunStorage(`transfer-test-${count++}`);
  await storage.create(started);
  await storage.append('a', events, {});
});
const given = (name: string, bytes: Uint8Array<ArrayBuffer>) => new File([bytes], name);

describe('transfer', () => {
  test('a run is exported as JSON lines, and imported beside the original', async () => {
    const run = (await storage.get('a'))!;
    const file = await eventsFile(storage, run);
    expect(file.name).toBe('Chain-sums-llama.jsonl');
    const received = await receiveFile(storage, given(file.name, file.bytes));
    expect(received.kind).toBe('run');
    const runs = await storage.list();
    expect(runs).toHaveLength(2);
    expect(new Set(runs.map((each) => each.name)).size).toBe(2);
    const copy = runs.find((each) => each.id !== 'a')!;
    expect(await storage.events(copy.id)).toEqual([{ ...started, run_id: copy.id }, events[1]]);
  });

  test('a checkpoint is exported as a model folder, and imported with the same weights', async () => {
    const weights = new Uint8Array(await readFile(`${LLAMA}/model.safetensors`));
    await storage.saveCheckpoint('a', 5, weights);
    const file = await modelFile(storage, (await storage.get('a'))!, 5, () => folderSource(LLAMA));
    expect(file.name).toBe('Chain-sums-llama-step-5.zip');
    expect(await receiveFile(storage, given('mine.zip', file.bytes))).toEqual({ kind: 'model', name: 'mine' });
    const back = await loadModelFolder(mapSource('mine', (await storage.loadModel('mine'))!));
    expect(back.tensors).toEqual((await loadModelFolder(folderSource(LLAMA))).tensors);
  });

  test('a checkpoint of adapters is exported as a PEFT folder', async () => {
    const config = configForModel(defaultRunConfig, 'store:tiny-0123456789');
    await storage.create({ ...started, run_id: 'b', config });
    const tensor = { name: 'base_model.model.x.lora_A.weight', shape: [1], data: Float32Array.of(3) };
    const lora = JSON.stringify({ r: 1, lora_alpha: 2, target_modules: ['q_proj'] });
    await storage.saveCheckpoint('b', 5, writeSafetensors([tensor], 'F32', { lora, base_model: 'acme/tiny' }));
    const file = await modelFile(storage, (await storage.get('b'))!, 5);
    expect(file.name).toBe('Word-problems-tiny-step-5-adapter.zip');
    expect([...unpackZip(file.bytes).keys()]).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  });

  test('anything else is refused with a plain message, and nothing is stored', async () => {
    const bytes = new TextEncoder().encode('{"type":"started"}\n');
    await expect(receiveFile(storage, given('odd.jsonl', bytes))).rejects.toThrow('“odd.jsonl” isn’t a training run.');
    const damaged = new TextEncoder().encode(`${JSON.stringify(started)}\n{"type":"step"}\n`);
    await expect(receiveFile(storage, given('cut.jsonl', damaged))).rejects.toThrow('“cut.jsonl” is damaged: line 2');
    await expect(receiveFile(storage, given('cut.zip', new Uint8Array([0x50, 0x4b, 3, 4])))).rejects.toThrow();
    expect(await storage.list()).toHaveLength(1);
    expect(await storage.modelNames()).toEqual([]);
  });
});
