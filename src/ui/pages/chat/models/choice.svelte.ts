/** @file Which models are asked, and how: what is there, what is chosen for each column, and the reader's settings of each. */
import type { LoadOptions } from '../../../../engine/load-options';
import type { RecommendedSampling } from '../../../../runs/chat-model';
import { loadLoading, saveLoading } from './loading';
import { DEFAULT_MODEL, modelOfFiles, namedModel, type ModelChoice } from './models';
import type { SamplingSettings } from '../../../../storage/conversation';
import { loadChanges, recommendedSettings, saveChanges, settingProblems } from '../settings/settings';

type Kept = Pick<Storage, 'getItem' | 'setItem'> | undefined;

export class Choice {
  models = $state.raw<ModelChoice[]>([namedModel(DEFAULT_MODEL)]);
  /** Ids by column; a second one is asked beside the first. */
  chosen = $state.raw<string[]>([]);
  #changes = $state.raw<Record<string, Partial<SamplingSettings>>>({});
  #loading = $state.raw<Record<string, LoadOptions>>({});
  /** What the makers of the models recommend, as far as these were opened. */
  #recommended = $state.raw<Record<string, RecommendedSampling>>({});
  readonly #storage: Kept;

  /** The chosen models as they are to be opened. */
  readonly picked = $derived(
    this.chosen.map((id): ModelChoice => {
      const load = this.#loading[id];
      const sampling = this.#recommended[id];
      return { ...this.named(id), ...(load && { load }), ...(sampling && { sampling }) };
    }),
  );
  readonly allRemote = $derived(this.picked.every(({ group }) => group === 'On servers'));
  readonly onlyToys = $derived(this.picked.every(({ toy }) => toy));

  /** @param storage where settings are kept between visits; undefined where storage is blocked */
  constructor(first: string, storage: Kept) {
    this.chosen = [first];
    this.#storage = storage;
    this.#changes = loadChanges(storage);
    this.#loading = loadLoading(storage);
  }

  isKnown(id: string): boolean {
    return this.models.some((model) => model.id === id);
  }

  /** A model by its id, whether it is there or not. */
  named(id: string): ModelChoice {
    return this.models.find((model) => model.id === id) ?? namedModel(id);
  }

  /** Takes what was found here; what the reader gave or chose meanwhile stays. */
  found(models: readonly ModelChoice[]): void {
    const own = this.models.filter(({ files }) => files);
    const named = this.chosen.filter((id) => ![...models, ...own].some((model) => model.id === id)).map(namedModel);
    this.models = [...models, ...own, ...named];
  }

  pick(column: number, id: string): void {
    this.chosen = this.chosen.with(column, id);
  }

  /** One model or two. */
  compare(): void {
    const [first] = this.chosen as [string];
    const other = this.models.find(({ id }) => id !== first)?.id ?? first;
    this.chosen = this.chosen.length > 1 ? [first] : [first, other];
  }

  /** @throws Error saying what is missing in the files */
  add(files: File[]): ModelChoice {
    const model = modelOfFiles(files);
    this.models = [...this.models, model];
    return model;
  }

  /** Whom an answer is asked of again: the model chosen for its column now. */
  forColumn(column: number): ModelChoice {
    return this.picked[column] ?? this.picked[0]!;
  }

  settingsOf(model: ModelChoice): SamplingSettings {
    const sampling = this.#recommended[model.id];
    return { ...recommendedSettings(sampling ? { ...model, sampling } : model), ...this.#changes[model.id] };
  }

  /** The first thing wrong with the settings of the chosen models; empty if nothing is. */
  get problem(): string {
    for (const model of this.picked) {
      const [problem] = Object.values(settingProblems(this.settingsOf(model)));
      if (problem) return `${problem} (Settings)`;
    }
    return '';
  }

  change(model: ModelChoice, name: keyof SamplingSettings, value: number): void {
    this.#setChanges(model, { ...this.#changes[model.id], [name]: value });
  }

  reset(model: ModelChoice): void {
    this.#setChanges(model, {});
  }

  setLoading(model: ModelChoice, options: LoadOptions): void {
    this.#loading = { ...this.#loading, [model.id]: options };
    saveLoading(this.#storage, this.#loading);
  }

  /** Told when a model was opened. Toy models are asked as they were trained, whatever their files say. */
  recommend(model: ModelChoice, sampling: RecommendedSampling | undefined): void {
    if (sampling && !model.toy) this.#recommended = { ...this.#recommended, [model.id]: sampling };
  }

  #setChanges(model: ModelChoice, changed: Partial<SamplingSettings>): void {
    this.#changes = { ...this.#changes, [model.id]: changed };
    saveChanges(this.#storage, this.#changes);
  }
}
