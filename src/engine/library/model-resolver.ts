/**
 * @file Opens the model that a name stands for, wherever it lies: below models/, in a run's checkpoint, imported, or
 * downloaded. Adapters are opened on the base that they belong to.
 */
import { mapFiles } from '../../formats/files/memory-files';
import type { ModelFiles } from '../../formats/files/model-files';
import { baseOfAdapter, PEFT_CONFIG, readPeft, stackAdapters } from '../../formats/hf/peft';
import type { StoredModel } from '../../formats/hub/stored-model';
import type { Model } from '../../formats/model';
import { openModel } from '../../formats/open-model';
import { loraTargets } from '../../model/lora/lora-layout';
import { modelOfCheckpoint } from '../../rl/checkpoint';
import { formatModelId, parseModelId } from '../../runs/model-id';
import type { RunStorage } from '../../storage/run-storage';

/** A run may start from a run that started from a run; a longer chain than this is a circle. */
const LONGEST_CHAIN = 20;

export interface ModelPlaces {
  /** The folder of a model below models/. */
  embedded(name: string): ModelFiles;
  storage: Pick<RunStorage, 'get' | 'loadCheckpoint' | 'loadModel'>;
  /** Downloaded models; absent where nothing can be stored. */
  store?: {
    list(): Promise<Pick<StoredModel, 'id' | 'name' | 'origin' | 'complete'>[]>;
    files(id: string): Promise<ModelFiles>;
  };
}

export class ModelResolver {
  constructor(private readonly places: ModelPlaces) {}

  /** @throws Error with a message for the user when the model is gone, broken or not a name; AbortError */
  open(name: string, signal?: AbortSignal): Promise<Model> {
    return this.resolve(name, signal, 0);
  }

  private async resolve(name: string, signal: AbortSignal | undefined, depth: number): Promise<Model> {
    if (depth > LONGEST_CHAIN) throw new Error(`The models of these runs refer to each other in a circle: ${name}.`);
    const id = parseModelId(name);
    switch (id?.kind) {
      case 'embedded':
        return { ...(await openModel(this.places.embedded(id.name), signal)), name };
      case 'checkpoint':
        return this.checkpoint(name, id, signal, depth);
      case 'imported':
        return this.imported(name, id.name, signal, depth);
      case 'downloaded':
        return openModel(await this.store().files(id.id), signal);
      default:
        throw new Error(`${JSON.stringify(name)} is not the name of a model on this device.`);
    }
  }

  private async checkpoint(
    name: string,
    { run: id, step }: { run: string; step: number },
    signal: AbortSignal | undefined,
    depth: number,
  ): Promise<Model> {
    const run = await this.places.storage.get(id);
    if (!run) throw new Error(`The run that ${name} is a checkpoint of has been deleted. Choose another model.`);
    const bytes = await this.places.storage.loadCheckpoint(id, step);
    if (!bytes) throw new Error(`The run "${run.name}" has no checkpoint of step ${step}. Choose another one.`);
    return modelOfCheckpoint(await this.resolve(run.config.model, signal, depth + 1), bytes, name);
  }

  /** A model folder, or an adapter folder whose base is on this device. */
  private async imported(name: string, key: string, signal: AbortSignal | undefined, depth: number): Promise<Model> {
    const files = await this.places.storage.loadModel(key);
    if (!files) throw new Error(`The imported model ${key} is no longer stored. Import it again.`);
    const source = mapFiles(name, files);
    if (!files.has(PEFT_CONFIG)) return { ...(await openModel(source, signal)), name };
    return this.adapted(await this.baseOf(source, signal, depth), source, name);
  }

  /** A model with an adapter from a PEFT folder added. @throws PeftError when the adapter doesn't fit the model */
  async adapted(base: Model, adapter: ModelFiles, name = `${base.name} with ${adapter.name}`): Promise<Model> {
    const read = await readPeft(adapter, loraTargets(base.config));
    const whole = base.adapter ? stackAdapters(base.adapter, read) : read;
    return { ...base, name, baseName: base.baseName ?? base.name, adapter: whole };
  }

  private async baseOf(adapter: ModelFiles, signal: AbortSignal | undefined, depth: number): Promise<Model> {
    const wanted = await baseOfAdapter(adapter);
    const id = parseModelId(wanted);
    if (id && id.kind !== 'hub') return this.resolve(wanted, signal, depth + 1);
    const stored = (await this.places.store?.list()) ?? [];
    const found = stored.find(
      ({ complete, name, origin }) =>
        complete && (name === wanted || (origin.kind === 'hub' && origin.repo === wanted)),
    );
    if (found) return this.resolve(formatModelId({ kind: 'downloaded', id: found.id }), signal, depth + 1);
    throw new Error(
      `This adapter belongs to ${wanted}, which is not on this device. Download that model on the Models page first.`,
    );
  }

  private store(): NonNullable<ModelPlaces['store']> {
    if (!this.places.store) throw new Error('This browser stores no models for this site, as in some private windows.');
    return this.places.store;
  }
}
