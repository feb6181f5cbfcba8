/** @file The settings of a run while they are edited: the draft, where it will run, and what is wrong with it. */
import { changedFields, checkConfig, configForModel, configForTask, defaultRunConfig } from '../../../../runs/config';
import type { RunConfig } from '../../../../runs/events';
import { appliesTo, describeField, fieldGroups, fieldKeys, type FieldKey } from '../../../../runs/fields';
import { prefersAdapters, tasksFor, type KnownTraits } from '../../../../runs/model-capabilities';
import { parseModelId } from '../../../../runs/model-id';
import { getPreset, presetConfig } from '../../../../runs/presets';
import type { RemoteRunOptions } from '../../../../servers/training/sidecar-schema';
import { allTasks } from '../../../../tasks';
import { isDataset } from '../../../../tasks/dataset';
import { checkRemote, configFor, isLocalOnly, remoteFields } from '../server/remote-fields';
import type { ServerProblem } from '../server/server-problems';
import type { ChosenServer, TrainingServers } from '../server/training-servers.svelte';

/** These have controls of their own, above the groups of fields. */
const ABOVE: readonly FieldKey[] = ['model', 'task', 'difficulty'];

export class SettingsDraft {
  config = $state.raw<RunConfig>(defaultRunConfig);
  /** How the server is to run it. */
  options = $state.raw<RemoteRunOptions>({});
  /** What the server refused of exactly these settings. */
  refused = $state.raw<readonly ServerProblem[]>([]);

  constructor(
    private readonly servers: () => TrainingServers | undefined,
    /** Config names of the models that training can start from on this device. */
    private readonly localModels: () => readonly string[],
    /** What is known of them. */
    readonly known: KnownTraits = () => undefined,
  ) {}

  /** The server that the run is for; null for this browser. */
  get server(): ChosenServer | null {
    return this.servers()?.chosen ?? null;
  }

  get models(): readonly string[] {
    return this.server?.info ? this.server.info.models : this.localModels();
  }

  readonly tasks = $derived.by(() => (this.server ? allTasks : tasksFor(this.config.model, this.known)));

  /** Everything that keeps these settings from running. */
  readonly problems: readonly ServerProblem[] = $derived.by(() => [
    ...checkConfig(this.server ? { ...defaultRunConfig, ...configFor(this.config) } : this.config),
    ...(this.server?.info ? checkRemote(this.config, this.server.info, this.options) : []),
    ...this.refused,
  ]);

  /** The problems that no field of the form shows. */
  readonly generalProblems = $derived.by(() => {
    const remoteKeys = this.server?.info ? remoteFields(this.server.info, this.options).map(({ key }) => key) : [];
    const hasField = (name: string) =>
      remoteKeys.includes(name) || fieldKeys.some((key) => key === name && !ABOVE.includes(key));
    return this.problems.filter(({ field }) => !hasField(field));
  });

  /** The groups of fields with the ones that apply to these settings. */
  readonly groups = $derived.by(() => {
    const changed = changedFields(this.config, this.known);
    const applies = (key: FieldKey) => (this.server ? !isLocalOnly(key) : appliesTo(this.config, key));
    return fieldGroups
      .map(({ group, label }) => {
        const keys = fieldKeys.filter(
          (key) => describeField(key).group === group && !ABOVE.includes(key) && applies(key),
        );
        return { label, keys, changed: keys.filter((key) => changed.includes(key)).length };
      })
      .filter(({ keys }) => keys.length > 0);
  });

  /** Whether the settings can be started. What the server refused may be tried again. */
  get ready(): boolean {
    return this.problems.length <= this.refused.length && (this.server === null || this.server.status === 'ready');
  }

  problemOf(field: string): string | undefined {
    return this.problems.find((problem) => problem.field === field)?.message;
  }

  /** Starts again from a config. */
  open(config: RunConfig, options: RemoteRunOptions): void {
    this.config = config;
    this.options = options;
    this.refused = [];
  }

  change(config: RunConfig): void {
    this.refused = [];
    this.config = config;
  }

  changeOptions(options: RemoteRunOptions): void {
    this.refused = [];
    this.options = options;
  }

  choosePreset(name: string): void {
    const preset = getPreset(name);
    if (!preset) return;
    // Presets train all weights, so they are for small models only.
    const model = prefersAdapters(this.config.model, this.known) ? defaultRunConfig.model : this.config.model;
    this.change({ ...presetConfig(preset), model, seed: this.config.seed });
  }

  /** Chooses a server, or this browser if the address is empty. Models and tasks that don't exist there are replaced. */
  async chooseServer(url: string): Promise<void> {
    this.refused = [];
    await this.servers()?.choose(url);
    const { config, server } = this;
    if (server?.info) {
      const { models, tasks } = server.info;
      const kind = parseModelId(config.model)?.kind;
      const hasModel = models.includes(config.model) || kind === 'hub' || kind === 'checkpoint';
      if (!hasModel) this.config = configForModel(this.config, models[0] ?? defaultRunConfig.model);
      const hasTask = tasks.includes(config.task) || isDataset(config.task);
      if (!hasTask) this.config = configForTask(this.config, tasks[0] ?? defaultRunConfig.task);
    } else if (!server) {
      const hasModel = this.localModels().includes(config.model) || parseModelId(config.model)?.kind === 'downloaded';
      if (!hasModel) this.config = configForModel(this.config, defaultRunConfig.model, this.known);
      const hasTask = tasksFor(this.config.model, this.known).some(({ name }) => name === config.task);
      if (!hasTask) this.config = configForTask(this.config, defaultRunConfig.task);
    }
  }
}
