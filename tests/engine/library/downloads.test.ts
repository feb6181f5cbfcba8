/** @file Models that are downloaded: inspected, downloaded from a hub on this machine, listed, resumed, cancelled, removed. */
import { t } from '../../../src/i18n';
import { afterEach, describe, expect, it } from 'vitest';
import { ModelDownloads } from '../../../src/engine/library/downloads';
import type { DownloadProgress } from '../../../src/formats/hub/stored-model';
import { MemoryDirectory } from '../../../src/formats/hub/store/store-directory';
import { openModel } from '../../../src/formats/open-model';
import { folderFiles, madeUpCheckpoint, startHubServer, textFile } from '../../support/hub-server';
import type { Asked, Fault, ServedFile } from '../../support/hub-server';

const WEIGHTS = 'model.safetensors';
const embedded = 'public/models/tinythink-1m';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function setup(fault?: (asked: Asked) => Fault | undefined) {
  const { 'tokenizer.json': _, ...mute } = folderFiles(embedded);
  const repos: Record<string, Record<string, ServedFile>> = {
    'acme/tiny': madeUpCheckpoint(embedded, {}),
    'acme/strange': { ...folderFiles(embedded), 'config.json': textFile('{"model_type": "mamba"}') },
    'acme/mute': mute,
    'acme/base': { ...folderFiles('tests/goldens/checkpoints/smollm2'), 'chat_template.jinja': textFile('') },
  };
  const hub = await startHubServer({ repos, ...(fault && { fault }), info: { cardData: { license: 'mit' } } });
  cleanUps.push(() => hub.close());
  const directory = new MemoryDirectory();
  const models = new ModelDownloads(() => Promise.resolve(directory), { backoff: 1 });
  const address = (repo = 'acme/tiny') => ({ kind: 'hub', repo, endpoint: hub.endpoint }) as const;
  const never = new AbortController().signal;
  return { models, hub, directory, address, never };
}

describe('a model on the hub', () => {
  it('is inspected without its weights, and refused when it can’t be computed or talked to', async () => {
    const { models, hub, address, directory, never } = await setup();
    const summary = await models.inspect(address());
    expect(summary).toMatchObject({
      ...{ name: 'acme/tiny', licence: 'mit', architecture: 'LlamaForCausalLM', quantisation: 'BF16' },
      origin: { kind: 'hub', revision: hub.sha },
      ...{ complete: false, storedBytes: 0 },
    });
    expect(summary.files.map(({ path }) => path)).toContain(WEIGHTS);
    // Of the weights only the header.
    const ends = hub.asked.filter(({ path }) => path === WEIGHTS).map(({ to }) => to);
    expect(ends.length).toBeGreaterThan(0);
    expect(Math.max(...ends)).toBeLessThan(10_000);
    expect(summary.notices).toEqual([]);
    expect((await models.inspect(address('acme/base'))).notices).toEqual([t('models:notices.standIn.chatml')]);
    await expect(models.inspect(address('acme/strange'))).rejects.toThrow('mamba');
    await expect(models.inspect(address('acme/mute'))).rejects.toThrow('acme/mute has no tokenizer.json');
    await expect(models.download(address('acme/none'), () => {}, never)).rejects.toThrow('no public model acme/none');
    expect(await directory.folders()).toEqual([]);
  });

  it('is downloaded, listed, opened, and removed', async () => {
    const { models, address, never } = await setup();
    const reported: DownloadProgress[] = [];
    const model = await models.download(address(), (progress) => reported.push(progress), never);
    expect(model.complete).toBe(true);
    expect(reported.at(-1)).toMatchObject({ id: model.id, bytes: model.bytes, total: model.bytes });
    expect(await models.list()).toEqual([model]);
    expect((await openModel(await models.files(model.id))).name).toBe('acme/tiny');
    expect((await models.inspect({ kind: 'stored', id: model.id })).complete).toBe(true);
    await models.remove(model.id);
    expect(await models.list()).toEqual([]);
    await expect(models.files(model.id)).rejects.toThrow('no longer stored');
  });

  it('is cancelled by a signal or by its id, and resumed from the list', async () => {
    const { models, hub, address, never } = await setup(({ path }) =>
      path === WEIGHTS ? { kind: 'slow', rate: 1_000_000 } : undefined,
    );
    const abort = new AbortController();
    const stopEarly = ({ file, bytes, total }: DownloadProgress) => {
      if (file === WEIGHTS && bytes > total / 10) abort.abort();
    };
    await expect(models.download(address(), stopEarly, abort.signal)).rejects.toMatchObject({ name: 'AbortError' });
    const [partly] = await models.list();
    expect(partly).toMatchObject({ complete: false });
    const { id, storedBytes } = partly!;
    const cancelled = models.download(
      { kind: 'stored', id },
      ({ phase, bytes }) => {
        if (phase === 'downloading' && bytes > storedBytes) models.cancel(id);
      },
      never,
    );
    await expect(cancelled).rejects.toMatchObject({ name: 'AbortError' });
    hub.options.fault = () => undefined;
    expect(await models.download({ kind: 'stored', id }, () => {}, never)).toMatchObject({ id, complete: true });
  });

  it('says through its progress that it tries a broken connection again', async () => {
    const { models, address, never } = await setup(({ path, count }) =>
      path === WEIGHTS && count < 4 ? { kind: 'cut', after: 100_000 } : undefined,
    );
    const notices: string[] = [];
    await models.download(address(), ({ notice }) => notice && notices.push(notice), never);
    expect(notices.join()).toContain('Trying again');
  });
});
