/** @file The options for how a server runs a run, as fields of a form: those that the server offers, and why it lacks others. */
import { t } from '../../../../i18n';
import type { RemoteRunOptions, SidecarInfo } from '../../../../servers/training/sidecar-schema';
import type { RunConfig } from '../../../../runs/events';
import { describeField, isFieldKey, type Field, type FieldValue, type NumberField } from '../../../../runs/fields';
import type { en } from '../../../../i18n/en';
import type { ServerProblem } from './server-problems';

export interface RemoteField {
  key: string;
  field: Field;
  get: (options: RemoteRunOptions) => FieldValue;
  set: (options: RemoteRunOptions, value: FieldValue) => RemoteRunOptions;
}

/** The sidecar's defaults (`Lora` and `RemoteOptions` in remote/src/tinythink_remote/config.py). */
const DEFAULT_LORA = { r: 16, lora_alpha: 32, lora_dropout: 0 };
const DEFAULT_CHECKPOINTS = 5;

type TextKey = Exclude<keyof (typeof en)['servers']['fields'], 'all' | 'title'>;
const base = (key: TextKey) => {
  const label = t(`servers:fields.${key}.label`);
  return { label, short: label, help: t(`servers:fields.${key}.help`), group: 'run' as const, live: false };
};
const toggle = (text: TextKey): Field => ({ kind: 'switch', ...base(text) });
const choice = (text: TextKey, options: Record<string, string>): Field => ({
  kind: 'choice',
  ...base(text),
  options: Object.entries(options).map(([value, label]) => ({ value, label })),
});
const number = (text: TextKey, min: number, max: number, more: Partial<NumberField> = {}): NumberField => ({
  ...{ kind: 'number', ...base(text), min, max, usual: [min, max], integer: true, above: false, step: 1 },
  ...{ scale: 'linear', nullable: false },
  ...more,
});

function plain(key: keyof RemoteRunOptions, field: Field, fallback: FieldValue): RemoteField {
  return {
    key,
    field,
    // Null is a value: of a limit, that there is none.
    get: (options) => (options[key] === undefined ? fallback : options[key]) as FieldValue,
    set: (options, value) => ({ ...options, [key]: value }),
  };
}

function loraField(key: keyof typeof DEFAULT_LORA, field: Field): RemoteField {
  return {
    key: `lora.${key}`,
    field,
    get: ({ lora }) => lora?.[key] ?? DEFAULT_LORA[key],
    set: (options, value) => ({ ...options, lora: { ...DEFAULT_LORA, ...options.lora, [key]: value } }),
  };
}

const LORA: RemoteField = {
  key: 'lora',
  field: toggle('lora'),
  get: ({ lora }) => lora != null,
  set: (options, value) => ({ ...options, lora: value ? DEFAULT_LORA : null }),
};

const PROCESSES: RemoteField = {
  key: 'num_processes',
  field: number('processes', 1, 64),
  get: ({ num_processes = 1 }) => num_processes,
  set: ({ launcher: _, ...options }, value) => ({
    ...options,
    ...(value !== 1 && { launcher: 'accelerate' as const }),
    num_processes: value as number,
  }),
};

const VLLM: RemoteField = {
  key: 'use_vllm',
  field: toggle('vllm'),
  get: ({ use_vllm }) => use_vllm !== false,
  // When it is on, the server decides whether it can use vLLM.
  set: (options, value) => ({ ...options, use_vllm: value ? null : false }),
};

/** The options that this server offers, in the order of the form. */
export function remoteFields(info: SidecarInfo, options: RemoteRunOptions): RemoteField[] {
  const fields: RemoteField[] = [];
  if (info.peft) {
    fields.push(LORA);
    if (options.lora) {
      fields.push(
        loraField('r', number('loraRank', 1, 1024)),
        loraField('lora_alpha', number('loraAlpha', 0, 4096, { above: true })),
        loraField(
          'lora_dropout',
          number('loraDropout', 0, 0.9, {
            integer: false,
            step: 0.05,
          }),
        ),
      );
    }
  }
  if (info.gpus > 0) {
    fields.push(
      plain('precision', choice('precision', { f32: 'f32', bf16: t('servers:fields.precision.bf16') }), 'f32'),
    );
  }
  if (info.gpus > 1) {
    fields.push({ ...PROCESSES, field: { ...(PROCESSES.field as NumberField), max: info.gpus } });
    if (info.deepspeed && (options.num_processes ?? 1) > 1) {
      fields.push(
        plain(
          'sharding',
          choice('sharding', { zero3: t('servers:fields.sharding.zero3'), none: t('servers:fields.sharding.none') }),
          'zero3',
        ),
      );
    }
  }
  if (info.vllm && info.gpus > 0) {
    fields.push(VLLM);
    if (options.use_vllm !== false) {
      const share = { integer: false, above: true, step: 0.05 };
      fields.push(plain('vllm_gpu_memory_utilization', number('vllmMemory', 0, 0.95, share), 0.3));
    }
  }
  fields.push(
    plain('per_device_train_batch_size', number('batchSize', 1, 65_536, { nullable: true }), null),
    plain('gradient_checkpointing', toggle('gradientCheckpointing'), false),
    plain('save_total_limit', number('savedCheckpoints', 1, 1000, { nullable: true }), DEFAULT_CHECKPOINTS),
  );
  return fields;
}

/** What this server can't do, and why. */
export function notOffered(info: SidecarInfo): string[] {
  const missing: string[] = [t('servers:missing.coldStart')];
  if (!info.peft) missing.push(t('servers:missing.lora'));
  if (info.gpus === 0) missing.push(t('servers:missing.gpu'));
  else {
    if (!info.vllm) missing.push(t('servers:missing.vllm'));
    if (info.gpus > 1 && !info.deepspeed) missing.push(t('servers:missing.deepspeed'));
  }
  return missing;
}

/** The options as they are sent, without any that the server doesn't offer. */
export function optionsFor(info: SidecarInfo, options: RemoteRunOptions): RemoteRunOptions {
  const several = info.gpus > 1 && (options.num_processes ?? 1) > 1;
  const {
    lora,
    precision,
    launcher: _,
    num_processes,
    sharding,
    use_vllm,
    vllm_gpu_memory_utilization,
    ...rest
  } = options;
  return {
    ...rest,
    ...(lora && info.peft && { lora }),
    ...(precision && info.gpus > 0 && { precision }),
    ...(several && {
      launcher: 'accelerate' as const,
      num_processes: num_processes!,
      sharding: info.deepspeed ? (sharding ?? 'zero3') : 'none',
    }),
    ...(info.vllm && info.gpus > 0 && use_vllm !== undefined && { use_vllm }),
    ...(info.vllm && vllm_gpu_memory_utilization !== undefined && { vllm_gpu_memory_utilization }),
  };
}

/** The problems with the settings that are known before the server is asked. */
export function checkRemote(config: RunConfig, info: SidecarInfo, options: RemoteRunOptions): ServerProblem[] {
  const problems: ServerProblem[] = [];
  for (const { key, field, get } of remoteFields(info, options)) {
    const value = get(options);
    if (field.kind !== 'number' || (value === null && field.nullable)) continue;
    const fits =
      typeof value === 'number' &&
      (field.above ? value > field.min : value >= field.min) &&
      value <= field.max &&
      (!field.integer || Number.isInteger(value));
    const range = field.above ? 'aboveAndAtMost' : 'fromTo';
    const { label, min, max } = field;
    if (!fits) problems.push({ field: key, message: t(`servers:fieldProblems.${range}`, { label, min, max }) });
  }
  if (problems.length > 0) return problems;
  const total = config.num_prompts * config.num_generations;
  const { num_processes = 1, per_device_train_batch_size: batch } = options;
  const processes = info.gpus > 1 ? num_processes : 1;
  if (total % processes !== 0) {
    const message = t('servers:fieldProblems.processes', { count: total, processes });
    problems.push({ field: 'num_processes', message });
  } else if (batch && (total / processes) % batch !== 0) {
    const message = t('servers:fieldProblems.batches', { count: total / processes, batch });
    problems.push({ field: 'per_device_train_batch_size', message });
  }
  return problems;
}

/** The config as a server accepts it, without the settings of this page's own engine. */
export function configFor(config: RunConfig): RunConfig {
  const entries = Object.entries(config).filter(([key]) => !isLocalOnly(key));
  return Object.fromEntries(entries) as unknown as RunConfig;
}

/** Whether only this page's engine has the setting. A server has its own options for adapters, and no cold start. */
export const isLocalOnly = (key: string): boolean =>
  key.startsWith('cold_start') || (isFieldKey(key) && describeField(key).group === 'adapter');
