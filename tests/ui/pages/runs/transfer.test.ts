import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, test } from 'vitest';
import { modelFiles } from '../../../../src/cli/model-files';
import { mapFiles } from '../../../../src/formats/files/memory-files';
import { readWeights } from '../../../../src/formats/model';
import { openModel } from '../../../../src/formats/open-model';
import { encodeCheckpoint } from '../../../../src/rl/checkpoint';
import { unpackZip } from '../../../../src/base/zip';
import { defaultRunConfig } from '../../../../src/runs/config';
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
  model: { name: 'llama', parameters: 1, architecture: 'LlamaForCausalLM', reads_language: false },
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
const llama = await modelFiles(LLAMA);
const counters = { updates: 1, tokens: 2, moments: new Float32Array(2), reference: [] };

describe('transfer', () => {
  test('a run is exported as JSON lines, and imported beside the original', async () => {
    const run = (await storage.get('a'))!;
    const { file, damaged } = await eventsFile(storage, run);
    expect(damaged).toBe(false);
    expect(file.name).toBe('Chain-sums-llama.jsonl');
    const received = await receiveFile(storage, given(file.name, file.bytes));
    expect(received.kind).toBe('run');
    const runs = await storage.list();
    expect(runs).toHaveLength(2);
    expect(new Set(runs.map((each) => each.name)).size).toBe(2);
    const copy = runs.find((each) => each.id !== 'a')!;
    expect(await storage.events(copy.id)).toEqual([{ ...started, run_id: copy.id }, events[1]]);
  });

  test('a checkpoint goes out as a model folder and comes back with the same weights', async () => {
    const before = await readWeights(await openModel(llama));
    const parameters = [...before].map(([name, { shape, data }]) => ({ name, shape, data: data.map((x) => 2 * x) }));
    await storage.saveCheckpoint('a', 5, encodeCheckpoint({ ...counters, parameters, adapter: null }));
    const file = await modelFile(storage, (await storage.get('a'))!, 5, () => llama);
    expect(file.name).toBe('Chain-sums-llama-step-5.zip');
    expect(await receiveFile(storage, given('mine.zip', file.bytes))).toEqual({ kind: 'model', name: 'mine' });
    const back = await readWeights(await openModel(mapFiles('mine', (await storage.loadModel('mine'))!)));
    expect([...back.keys()]).toEqual([...before.keys()]);
    for (const { name, data } of parameters) expect(back.get(name)!.data).toEqual(data);
  });

  test('a checkpoint of adapters goes out as a PEFT folder', async () => {
    const config = { ...started.config, lora_r: 1 };
    await storage.create({ ...started, run_id: 'b', config });
    const parameters = [{ name: 'base_model.model.x.lora_A.weight', shape: [1], data: Float32Array.of(3) }];
    const lora = { r: 1, lora_alpha: 2, target_modules: ['q_proj'] as const };
    const adapter = { lora, base_model: 'llama' };
    await storage.saveCheckpoint('b', 5, encodeCheckpoint({ ...counters, parameters, adapter }));
    const file = await modelFile(storage, (await storage.get('b'))!, 5, () => llama);
    expect(file.name).toMatch(/-step-5-adapter\.zip$/);
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
