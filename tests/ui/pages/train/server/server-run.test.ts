/** @file The checkpoints and the log of a run on a server, against a fake sidecar. */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { unpackZip } from '../../../../../src/base/zip';
import { formatModelId } from '../../../../../src/runs/model-id';
import type { ExportedFile } from '../../../../../src/runs/exchange';
import { Sidecar } from '../../../../../src/servers/training/sidecar';
import { checkConfig } from '../../../../../src/runs/config';
import { configFromLink } from '../../../../../src/ui/pages/train/run/link-config';
import { isAdapter, runHereParams, ServerRun } from '../../../../../src/ui/pages/train/server/server-run.svelte';
import { FAKE_TOKEN, startFakeSidecar, type FakeSidecar } from '../../../../support/fake-sidecar';

let sidecar: FakeSidecar | undefined;
afterEach(async () => {
  await sidecar?.close();
  sidecar = undefined;
});

const MODEL = 'public/models/tinythink-1m';
const model = Object.fromEntries(
  ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'].map((name) => [
    name,
    readFileSync(`${MODEL}/${name}`),
  ]),
);
const adapter = {
  'adapter_config.json': Buffer.from('{"peft_type":"LORA","base_model_name_or_path":"Qwen/Qwen2.5-0.5B"}'),
  'adapter_model.safetensors': Buffer.from('weights'),
};

async function start(checkpoints: FakeSidecar['checkpoints'] = { 2: model, 4: model }) {
  sidecar = await startFakeSidecar({ checkpoints });
  const models = new Map<string, ReadonlyMap<string, Uint8Array>>();
  const storage = {
    saveModel: vi.fn((name: string, files: ReadonlyMap<string, Uint8Array>) => {
      models.set(name, files);
      return Promise.resolve();
    }),
    modelNames: vi.fn(() => Promise.resolve([...models.keys()])),
  };
  const { url, run } = sidecar;
  const remote = { sidecar: new Sidecar(url, FAKE_TOKEN), label: 'box', url, id: run.id, options: {} };
  const open = () => new ServerRun(remote, { storage, title: 'Sums: a/b' });
  return { run: open(), again: open, sidecar, models, storage };
}

describe('checkpoints', () => {
  it('are listed with the newest first', async () => {
    const { run } = await start();
    await run.load();
    expect(run.checkpoints.map(({ step }) => step)).toEqual([4, 2]);
    expect(run.problem).toBe('');
  });

  it('that can’t be listed are a problem, and the log still opens', async () => {
    const { run, sidecar } = await start();
    sidecar.refuse = { status: 404, detail: 'this run does not exist' };
    await run.load();
    expect(run.problem).toContain('this run does not exist');
    sidecar.refuse = null;
    await run.readLog();
    expect([run.problem, run.log]).toEqual(['', 'step 1\nstep 2\n']);
  });

  it('are saved on request', async () => {
    const { run, sidecar } = await start();
    const saving = run.saveCheckpoint();
    expect(run.busy).not.toBe('');
    await saving;
    expect(run.busy).toBe('');
    expect(sidecar.requests.at(-1)).toMatchObject({ method: 'POST', path: `/runs/${sidecar.run.id}/checkpoint` });
  });

  it('are downloaded as a zip of the model folder', async () => {
    const { run } = await start({ 2: adapter });
    await run.load();
    const given: ExportedFile[] = [];
    await run.download(run.checkpoints[0]!, (file) => given.push(file));
    expect(run.progress).toBe(1);
    const names = [...unpackZip(given[0]!.bytes).keys()];
    expect(names.map((name) => name.split('/').at(-1))).toEqual(expect.arrayContaining(Object.keys(adapter)));
    expect(given[0]!.name).toContain('step-2');
  });

  it('are stored as models of this device, under a name that tells run and step', async () => {
    const { run, again, models, sidecar } = await start();
    await run.load();
    await run.open(run.checkpoints[0]!);
    expect(run.problem).toBe('');
    const name = `Sums a b ${sidecar.run.id.slice(0, 6)} step 4`;
    expect(run.opened).toEqual({ 4: formatModelId({ kind: 'imported', name }) });
    expect(Buffer.from(models.get(name)!.get('model.safetensors')!).equals(model['model.safetensors']!)).toBe(true);
    // Another visit finds it again.
    const later = again();
    await later.load();
    expect(later.opened).toEqual({ 4: formatModelId({ kind: 'imported', name }) });
  });

  it('that the engine can’t run are refused before they are stored', async () => {
    const broken = { ...model, 'config.json': Buffer.from('{"model_type":"mamba"}') };
    const { run, storage } = await start({ 2: broken });
    await run.load();
    await run.open(run.checkpoints[0]!);
    expect(run.problem).not.toBe('');
    expect(storage.saveModel).not.toHaveBeenCalled();
    expect(run.opened).toEqual({});
  });

  it('that are too large are refused before they are downloaded', async () => {
    const { run, sidecar } = await start();
    await run.load();
    const before = sidecar.requests.length;
    await run.open({ step: 4, files: [{ name: 'model.safetensors', bytes: 2 ** 30 }] });
    expect(run.problem).toContain('too large');
    expect(sidecar.requests).toHaveLength(before);
  });

  it('stop downloading when cancelled, without an error', async () => {
    const { run, sidecar } = await start();
    await run.load();
    sidecar.hold = true;
    const downloading = run.download(run.checkpoints[0]!, () => {});
    await expect.poll(() => sidecar.requests.some(({ path }) => path.includes('/checkpoints/4/'))).toBe(true);
    run.cancel();
    await downloading;
    expect([run.busy, run.problem]).toEqual(['', '']);
  });
});

describe('a checkpoint that is an adapter', () => {
  it('is stored like a model, and found again', async () => {
    const { run, again, models } = await start({ 2: adapter });
    await run.load();
    expect(isAdapter(run.checkpoints[0]!)).toBe(true);
    expect(run.opened).toEqual({});
    await run.open(run.checkpoints[0]!);
    expect(run.problem).toBe('');
    const [[name, files]] = [...models] as [[string, ReadonlyMap<string, Uint8Array>]];
    expect([...files.keys()].sort()).toEqual(Object.keys(adapter).sort());
    expect(run.opened).toEqual({ 2: formatModelId({ kind: 'imported', name }) });
    const later = again();
    await later.load();
    expect(later.opened).toEqual(run.opened);
  });

  it('can be trained in the browser, where another adapter learns on it', async () => {
    const { run } = await start({ 2: adapter });
    await run.load();
    const { config, problems } = configFromLink(runHereParams('file:sums', run.checkpoints[0]!));
    expect(problems).toEqual([]);
    expect(checkConfig(config)).toEqual([]);
    expect(config).toMatchObject({ model: 'file:sums', task: 'sum', lora_r: 16, num_prompts: 2 });
    const whole = { files: [{ name: 'model.safetensors' }] } as never;
    expect(runHereParams('file:sums', whole).toString()).toBe('model=file%3Asums');
  });

  it('is refused when it does not say which model it belongs to', async () => {
    const { run, storage } = await start({
      2: { ...adapter, 'adapter_config.json': Buffer.from('{"peft_type":"LORA"}') },
    });
    await run.load();
    await run.open(run.checkpoints[0]!);
    expect(run.problem).toContain('base_model_name_or_path');
    expect(storage.saveModel).not.toHaveBeenCalled();
  });
});
