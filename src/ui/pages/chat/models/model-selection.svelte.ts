/** @file Which models the Chat page asks: those available, the one or two that are chosen, and the settings of each. */
import type { SamplingSettings } from '../../../../storage/conversation';
import type { ChosenAdapter, LoadOptions } from '../../../../engine/load-options';
import { t } from '../../../../i18n';
import { parseModelId } from '../../../../runs/model-id';
import type { RecommendedSampling } from '../../../../runs/chat-model';
import { settingProblems } from '../settings/fields';
import { recommendedSettings } from '../settings/sampling';
import { loadChanges, saveChanges } from '../settings/saved-changes';
import { loadSavedOptions, saveOptions } from './load-options';
import { DEFAULT_MODEL, modelOfFiles, namedModel, type ModelChoice } from './models';

type SettingsStorage = Pick<Storage, 'getItem' | 'setItem'> | undefined;

/** Whether the model's weights are loaded here by the packed engine, which takes load options and adapters. */
export const takesLoadOptions = ({ toy, group }: ModelChoice): boolean => !toy && group !== 'servers';

export class ModelSelection {
  models = $state.raw<ModelChoice[]>([namedModel(DEFAULT_MODEL)]);
  /** Ids by column. With a second one, both models are asked. */
  chosen = $state.raw<string[]>([]);
  #changes = $state.raw<Record<string, Partial<SamplingSettings>>>({});
  #loadOptions = $state.raw<Record<string, LoadOptions>>({});
  /** What the models' makers recommend; known once a model was opened. */
  #recommended = $state.raw<Record<string, RecommendedSampling>>({});
  readonly #storage: SettingsStorage;

  /** The chosen models, with their load options. */
  readonly picked = $derived(
    this.chosen.map((id): ModelChoice => {
      const load = this.#loadOptions[id];
      const sampling = this.#recommended[id];
      return { ...this.named(id), ...(load && { load }), ...(sampling && { sampling }) };
    }),
  );
  readonly allRemote = $derived(this.picked.every(({ group }) => group === 'servers'));
  readonly onlyToys = $derived(this.picked.every(({ toy }) => toy));

  /** @param storage where settings are saved between visits; undefined if storage is blocked */
  constructor(first: string, storage: SettingsStorage) {
    this.chosen = [first];
    this.#storage = storage;
    this.#changes = loadChanges(storage);
    this.#loadOptions = loadSavedOptions(storage);
  }

  has(id: string): boolean {
    return this.models.some((model) => model.id === id);
  }

  /** A model by its id, whether it is available or not. */
  named(id: string): ModelChoice {
    return this.models.find((model) => model.id === id) ?? namedModel(id);
  }

  /** Sets the available models. The user's own files, and models chosen meanwhile, stay. */
  setAvailable(models: readonly ModelChoice[]): void {
    const own = this.models.filter(({ files }) => files);
    const named = this.chosen.filter((id) => ![...models, ...own].some((model) => model.id === id)).map(namedModel);
    this.models = [...models, ...own, ...named];
  }

  pick(column: number, id: string): void {
    this.chosen = this.chosen.with(column, id);
  }

  /** Switches between one model and two. */
  toggleCompare(): void {
    const [first] = this.chosen as [string];
    const other = this.models.find(({ id }) => id !== first)?.id ?? first;
    this.chosen = this.chosen.length > 1 ? [first] : [first, other];
  }

  /** Adds a model from the user's files. @throws Error saying what is missing in the files */
  addFiles(files: File[]): ModelChoice {
    const model = modelOfFiles(files);
    this.models = [...this.models, model];
    return model;
  }

  /** The model now chosen for a column, which answers again in the place of an earlier one. */
  forColumn(column: number): ModelChoice {
    return this.picked[column] ?? this.picked[0]!;
  }

  settingsOf(model: ModelChoice): SamplingSettings {
    const sampling = this.#recommended[model.id];
    return { ...recommendedSettings(sampling ? { ...model, sampling } : model), ...this.#changes[model.id] };
  }

  /** The first problem in the settings of the chosen models; empty if there is none. */
  get problem(): string {
    for (const model of this.picked) {
      const [problem] = Object.values(settingProblems(this.settingsOf(model)));
      if (problem) return t('chat:page.settingsProblem', { problem });
    }
    return '';
  }

  change(model: ModelChoice, name: keyof SamplingSettings, value: number): void {
    this.#setChanges(model, { ...this.#changes[model.id], [name]: value });
  }

  reset(model: ModelChoice): void {
    this.#setChanges(model, {});
  }

  setLoadOptions(model: ModelChoice, options: LoadOptions): void {
    this.#loadOptions = { ...this.#loadOptions, [model.id]: options };
    saveOptions(this.#storage, this.#loadOptions);
  }

  /**
   * Adds an adapter to the model that it was trained on, or else to the chosen one, and chooses that model.
   * @param base the model it was trained on, as adapter_config.json names it; null if unknown
   * @returns the model; null if no available model fits
   */
  addAdapter(adapter: ChosenAdapter, base: string | null): ModelChoice | null {
    const name = base === null ? null : plainName(base);
    const usable = [...this.picked, ...this.models].filter(
      (each) => takesLoadOptions(each) && parseModelId(each.id)?.kind !== 'checkpoint',
    );
    const model =
      usable.find(({ label }) => name !== null && plainName(label).startsWith(name)) ??
      usable.find(({ id }) => this.chosen.includes(id));
    if (!model) return null;
    if (!this.chosen.includes(model.id)) this.pick(0, model.id);
    this.setLoadOptions(model, { ...this.#loadOptions[model.id], adapter });
    return model;
  }

  /** Notes what an opened model's makers recommend. Toy models are sampled as they were trained. */
  setRecommended(model: ModelChoice, sampling: RecommendedSampling | undefined): void {
    if (sampling && !model.toy) this.#recommended = { ...this.#recommended, [model.id]: sampling };
  }

  #setChanges(model: ModelChoice, changed: Partial<SamplingSettings>): void {
    this.#changes = { ...this.#changes, [model.id]: changed };
    saveChanges(this.#storage, this.#changes);
  }
}

/** The last part of a model's name, without case and punctuation: "Qwen/Qwen2.5-0.5B" is "qwen2505b". */
const plainName = (name: string): string =>
  (
    name
      .replace(/[/\\]+$/, '')
      .split(/[/\\]/)
      .at(-1) ?? ''
  )
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '');
