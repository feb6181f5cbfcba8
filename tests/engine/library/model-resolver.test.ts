/** @file Opening models by name: embedded, imported, stored, checkpoints of runs, and adapters on the bases they belong to. */
import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, it } from 'vitest';
import { ModelResolver, type ModelPlaces } from '../../../src/engine/library/model-resolver';
import { mapFiles } from '../../../src/formats/files/memory-files';
import { peftTensors, PEFT_CONFIG, writePeft } from '../../../src/formats/hf/peft';
import { readWeights, tokenizerOf, type Model } from '../../../src/formats/model';
import type { StoredModel } from '../../../src/formats/hub/stored-model';
import { encodeCheckpoint } from '../../../src/rl/checkpoint';
import { RunStorage } from '../../../src/storage/run-storage';
import { startedEvent, TestEngine, tinyFiles, tinyModel } from '../../runs/fixtures';

let count = 0;
let storage: RunStorage;
beforeEach(() => (storage = new RunStorage(`resolver-${count++}`)));

/** Downloaded models by id; all of them have the tiny model's files. */
const downloads = (models: Pick<StoredModel, 'id' | 'name' | 'origin' | 'complete'>[]): ModelPlaces['store'] => ({
  list: () => Promise.resolve(models),
  files: (id) => Promise.resolve(mapFiles(models.find((model) => model.id === id)!.name, tinyFiles())),
});
const resolver = (store?: ModelPlaces['store']) =>
  new ModelResolver({
    storage,
    embedded: (name) => mapFiles(name, name === 'tinythink-1m' ? tinyFiles() : new Map()),
    ...(store && { store }),
  });

const MODULE = 'model.layers.0.self_attn.q_proj';
const LORA = { r: 2, lora_alpha: 6, target_modules: ['q_proj'] as const };
const A = Float32Array.from({ length: 2 * 8 }, (_, i) => i - 5);
const B = Float32Array.from({ length: 8 * 2 }, (_, i) => 0.25 * i - 1);
const tensors = peftTensors([[MODULE, { a: A, b: B }]], 2);
const adapterFolder = (base_model: string) => writePeft({ ...LORA, base_model }, tensors);

/** What `times` times the adapter adds to the query weights, which are all 1. */
const expectAdapted = async (model: Model, times = 1) => {
  const { data } = (await readWeights(model)).get(`${MODULE}.weight`)!;
  for (let row = 0; row < 8; row++) {
    for (let column = 0; column < 8; column++) {
      const product = B[row * 2]! * A[column]! + B[row * 2 + 1]! * A[8 + column]!;
      expect(data[row * 8 + column]).toBeCloseTo(1 + times * 3 * product, 4);
    }
  }
};

describe('a model by name', () => {
  it('is found below models/, among the imported ones, and in checkpoints of runs', async () => {
    const models = resolver();
    expect((await models.open('tinythink-1m')).name).toBe('tinythink-1m');
    await storage.saveModel('mine', tinyFiles());
    expect(await storage.modelNames()).toEqual(['mine']);
    const imported = await models.open('file:mine');
    expect([imported.name, imported.tensors.size]).toEqual(['file:mine', 11]);

    const engine = new TestEngine(startedEvent().config, await tinyModel());
    engine.state = 42;
    await storage.create(startedEvent());
    await storage.saveCheckpoint('run-1', 5, await engine.checkpoint());
    const trained = await models.open('run:run-1@5');
    expect((await readWeights(trained)).get('model.norm.weight')!.data[0]).toBe(42);
    expect(tokenizerOf(trained).encode('1')).toEqual([8]);
    // A run that started from that checkpoint has its files from the same root.
    const config = { ...startedEvent().config, model: 'run:run-1@5' };
    await storage.create(startedEvent({ run_id: 'run-2', config }));
    await storage.saveCheckpoint('run-2', 1, await engine.checkpoint());
    expect((await models.open('run:run-2@1')).config.hidden_size).toBe(8);
  });

  it('says what is gone', async () => {
    const models = resolver();
    await expect(models.open('nothing')).rejects.toThrow('nothing has no config.json');
    await expect(models.open('../secret')).rejects.toThrow('"../secret" is not the name of a model');
    await expect(models.open('run:x@1')).rejects.toThrow(/has been deleted/);
    await storage.create(startedEvent());
    await expect(models.open('run:run-1@7')).rejects.toThrow(/"Chain sums" has no checkpoint of step 7/);
    await expect(models.open('file:x')).rejects.toThrow(/Import it again/);
    await expect(models.open('store:x')).rejects.toThrow(/stores no models/);
    await storage.saveCheckpoint('run-1', 1, new Uint8Array(9));
    await storage.create(startedEvent({ config: { ...startedEvent().config, model: 'run:run-1@1' } }));
    await expect(models.open('run:run-1@1')).rejects.toThrow(/circle/);
  });
});

describe('an imported adapter folder', () => {
  it('is opened on the embedded model that it belongs to', async () => {
    await storage.saveModel('lesson', adapterFolder('tinythink-1m'));
    const model = await resolver().open('file:lesson');
    expect([model.name, model.baseName]).toEqual(['file:lesson', 'tinythink-1m']);
    await expectAdapted(model);
  });

  it('is opened on a downloaded model, by its name or by its repository on the Hub', async () => {
    const origin = { kind: 'hub', endpoint: 'https://huggingface.co', repo: 'acme/tiny', revision: 'abc' } as const;
    const byName = {
      id: 'a-1',
      name: 'acme/tiny',
      origin: { kind: 'url', url: 'https://x/' },
      complete: true,
    } as const;
    const byRepository = { id: 'b-2', name: 'Tiny', origin, complete: true } as never;
    await storage.saveModel('lesson', adapterFolder('acme/tiny'));
    for (const stored of [byName, byRepository]) {
      await expectAdapted(await resolver(downloads([stored])).open('file:lesson'));
    }
  });

  it('is opened on another imported model', async () => {
    await storage.saveModel('base', tinyFiles());
    await storage.saveModel('lesson', adapterFolder('file:base'));
    await expectAdapted(await resolver().open('file:lesson'));
  });

  it('is refused when its base is not on this device, with what to do', async () => {
    await storage.saveModel('lesson', adapterFolder('acme/tiny'));
    const incomplete = {
      id: 'a-1',
      name: 'acme/tiny',
      origin: { kind: 'url', url: 'https://x/' },
      complete: false,
    } as const;
    for (const store of [undefined, downloads([]), downloads([incomplete])]) {
      await expect(resolver(store).open('file:lesson')).rejects.toThrow(
        /belongs to acme\/tiny, which is not on this device. Download that model on the Models page first/,
      );
    }
  });

  it('is refused when its config names no base, or when it does not fit the base', async () => {
    const files = adapterFolder('tinythink-1m');
    const config = JSON.parse(new TextDecoder().decode(files.get(PEFT_CONFIG))) as object;
    const nameless = new TextEncoder().encode(JSON.stringify({ ...config, base_model_name_or_path: null }));
    await storage.saveModel('nameless', new Map([...files, [PEFT_CONFIG, nameless]]));
    await expect(resolver().open('file:nameless')).rejects.toThrow(/does not say which model the adapter belongs to/);
    const other = peftTensors([['model.layers.7.self_attn.q_proj', { a: A, b: B }]], 2);
    await storage.saveModel('other', writePeft({ ...LORA, base_model: 'tinythink-1m' }, other));
    await expect(resolver().open('file:other')).rejects.toThrow(/model\.layers\.7\.self_attn\.q_proj, which is not/);
  });
});

describe('a checkpoint of adapters', () => {
  const checkpoint = encodeCheckpoint({
    ...{ updates: 1, tokens: 1, moments: new Float32Array(2), reference: [] },
    parameters: tensors,
    adapter: { lora: LORA, base_model: 'tinythink-1m' },
  });

  it('is the base with the adapters, and a run from it adds to both', async () => {
    await storage.create(startedEvent({ config: { ...startedEvent().config, lora_r: 2 } }));
    await storage.saveCheckpoint('run-1', 5, checkpoint);
    const first = await resolver().open('run:run-1@5');
    expect([first.name, first.baseName]).toEqual(['run:run-1@5', 'tinythink-1m']);
    await expectAdapted(first);
    const config = { ...startedEvent().config, model: 'run:run-1@5', lora_r: 2 };
    await storage.create(startedEvent({ run_id: 'run-2', config }));
    await storage.saveCheckpoint('run-2', 1, checkpoint);
    await expectAdapted(await resolver().open('run:run-2@1'), 2);
  });

  it('takes a further adapter on top of its own', async () => {
    await storage.create(startedEvent({ config: { ...startedEvent().config, lora_r: 2 } }));
    await storage.saveCheckpoint('run-1', 5, checkpoint);
    const models = resolver();
    const both = await models.adapted(
      await models.open('run:run-1@5'),
      mapFiles('more', adapterFolder('tinythink-1m')),
    );
    await expectAdapted(both, 2);
  });
});
