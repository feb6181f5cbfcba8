/** @file How a server runs a run, as settings of a form: those that this server offers, and why the others aren't. */
import type { RemoteRunOptions, SidecarInfo } from '../../../../servers/training/sidecar-schema';
import type { RunConfig } from '../../../../runs/events';
import { describeField, isFieldKey, type Field, type FieldValue, type NumberField } from '../../../../runs/fields';
import type { ServerProblem } from './server-problems';

export interface RemoteField {
  key: string;
  field: Field;
  get: (options: RemoteRunOptions) => FieldValue;
  set: (options: RemoteRunOptions, value: FieldValue) => RemoteRunOptions;
}

/** As the sidecar has them (`RemoteOptions` in remote/). */
const DEFAULT_LORA = { r: 16, lora_alpha: 32, lora_dropout: 0 };

type Text = readonly [label: string, help: string];
const base = ([label, help]: Text) => ({ label, short: label, help, group: 'run' as const, live: false });
const toggle = (text: Text): Field => ({ kind: 'switch', ...base(text) });
const choice = (text: Text, options: Record<string, string>): Field => ({
  kind: 'choice',
  ...base(text),
  options: Object.entries(options).map(([value, label]) => ({ value, label })),
});
const number = (text: Text, min: number, max: number, more: Partial<NumberField> = {}): NumberField => ({
  ...{ kind: 'number', ...base(text), min, max, usual: [min, max], integer: true, above: false, step: 1 },
  ...{ scale: 'linear', nullable: false },
  ...more,
});

function plain(key: keyof RemoteRunOptions, field: Field, fallback: FieldValue): RemoteField {
  return {
    key,
    field,
    get: (options) => (options[key] ?? fallback) as FieldValue,
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
  field: toggle(['LoRA adapter', 'Trains a small adapter on all linear layers in place of all weights.']),
  get: ({ lora }) => lora != null,
  set: (options, value) => ({ ...options, lora: value ? DEFAULT_LORA : null }),
};

const PROCESSES: RemoteField = {
  key: 'num_processes',
  field: number(['GPUs', 'Processes that accelerate starts, one a GPU; together they do each step.'], 1, 64),
  get: ({ num_processes = 1 }) => num_processes,
  set: ({ launcher: _, ...options }, value) => ({
    ...options,
    ...(value !== 1 && { launcher: 'accelerate' as const }),
    num_processes: value as number,
  }),
};

const VLLM: RemoteField = {
  key: 'use_vllm',
  field: toggle(['Sample with vLLM', 'Completions come from vLLM on the same GPUs; faster once they are long.']),
  get: ({ use_vllm }) => use_vllm !== false,
  // On is the server's own choice: where it can.
  set: (options, value) => ({ ...options, use_vllm: value ? null : false }),
};

/** The settings that this server offers, in the order of the form. */
export function remoteFields(info: SidecarInfo, options: RemoteRunOptions): RemoteField[] {
  const fields: RemoteField[] = [];
  if (info.peft) {
    fields.push(LORA);
    if (options.lora) {
      fields.push(
        loraField('r', number(['Rank, r', 'Width of the adapter: what it can learn, and what it costs.'], 1, 1024)),
        loraField('lora_alpha', number(['Alpha', 'The adapter counts alpha / r times.'], 0, 4096, { above: true })),
        loraField(
          'lora_dropout',
          number(['Dropout', 'Share of the adapter’s inputs left out while training.'], 0, 0.9, {
            integer: false,
            step: 0.05,
          }),
        ),
      );
    }
  }
  if (info.gpus > 0) {
    fields.push(
      plain(
        'precision',
        choice(['Precision', 'The weights are f32 either way; bfloat16 halves what a forward takes.'], {
          f32: 'f32',
          bf16: 'bfloat16 over f32 weights',
        }),
        'f32',
      ),
    );
  }
  if (info.gpus > 1) {
    fields.push({ ...PROCESSES, field: { ...(PROCESSES.field as NumberField), max: info.gpus } });
    if (info.deepspeed && (options.num_processes ?? 1) > 1) {
      fields.push(
        plain(
          'sharding',
          choice(['Sharding', 'Whether each GPU holds a share of weights and optimizer, or all of them.'], {
            zero3: 'DeepSpeed ZeRO-3: a share each',
            none: 'None: everything on each',
          }),
          'zero3',
        ),
      );
    }
  }
  if (info.vllm && info.gpus > 0) {
    fields.push(VLLM);
    if (options.use_vllm !== false) {
      const share = { integer: false, above: true, step: 0.05 };
      const text = ['vLLM’s memory', 'Its share of each GPU’s memory; training has the rest.'] as const;
      fields.push(plain('vllm_gpu_memory_utilization', number(text, 0, 0.95, share), 0.3));
    }
  }
  fields.push(
    plain(
      'per_device_train_batch_size',
      number(
        ['Completions at a time', 'In one forward and backward of a process; fewer take less memory. Empty is all.'],
        1,
        65_536,
        { nullable: true },
      ),
      null,
    ),
    plain(
      'gradient_checkpointing',
      toggle(['Gradient checkpointing', 'Computes activations twice in place of keeping them: slower, and smaller.']),
      false,
    ),
    plain(
      'save_total_limit',
      number(['Checkpoints kept', 'Older ones are deleted on the server. Empty keeps all.'], 1, 1000, {
        nullable: true,
      }),
      null,
    ),
  );
  return fields;
}

/** What this server can't do, and what would change that. */
export function notOffered(info: SidecarInfo): string[] {
  const missing: string[] = ['No cold start on a server: begin with a checkpoint of a model that had one.'];
  if (!info.peft) missing.push('No LoRA: PEFT is not installed there.');
  if (info.gpus === 0) missing.push('No GPU there: no bfloat16, no vLLM, one process.');
  else {
    if (!info.vllm) missing.push('No vLLM: it is not installed there, so Transformers samples.');
    if (info.gpus > 1 && !info.deepspeed) missing.push('No ZeRO-3: DeepSpeed is not installed there.');
  }
  return missing;
}

/** The options as they are sent: nothing that the server doesn't offer, and nothing that it can't do. */
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

/** What keeps the settings from running, before the server is asked. */
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
    const range = field.above ? `above ${field.min} and at most ${field.max}` : `from ${field.min} to ${field.max}`;
    if (!fits) problems.push({ field: key, message: `${field.label} must be ${range}.` });
  }
  if (problems.length > 0) return problems;
  const total = config.num_prompts * config.num_generations;
  const { num_processes = 1, per_device_train_batch_size: batch } = options;
  const processes = info.gpus > 1 ? num_processes : 1;
  if (total % processes !== 0) {
    const message = `${total} completions a step can’t be shared out over ${processes} GPUs: choose a number that divides them.`;
    problems.push({ field: 'num_processes', message });
  } else if (batch && (total / processes) % batch !== 0) {
    const message = `${total / processes} completions can’t be cut into batches of ${batch}: choose a number that divides them.`;
    problems.push({ field: 'per_device_train_batch_size', message });
  }
  return problems;
}

/** A config as a server takes it: without what only this page's engine does. */
export function configFor(config: RunConfig): RunConfig {
  const entries = Object.entries(config).filter(([key]) => !isLocalOnly(key));
  return Object.fromEntries(entries) as unknown as RunConfig;
}

/** A setting of this page's engine alone; a server has its own for adapters, and no cold start. */
export const isLocalOnly = (key: string): boolean =>
  key.startsWith('cold_start') || (isFieldKey(key) && describeField(key).group === 'adapter');
