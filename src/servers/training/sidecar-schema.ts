/** @file What tinythink-remote sends, checked field by field: everything that a server sends is hostile until then. */
import * as v from 'valibot';
import { runConfig } from '../../runs/event-schema';
import type { RunEvent } from '../../runs/events';

const MAX_FILES = 1000;

const text = (length: number) => v.pipe(v.string(), v.maxLength(length));
const texts = v.pipe(v.array(text(300)), v.maxLength(10_000));
const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const runId = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/));
const state = v.picklist(['starting', 'running', 'paused', 'finished', 'stopped', 'failed']);
export const runStatus = v.object({ state, step: whole, seq: whole });
export const commandAnswer = v.object({ seq: whole });
export const infoAnswer = v.object({
  name: v.literal('tinythink-remote'),
  version: text(50),
  models: texts,
  hub: texts,
  tasks: texts,
  rewards: texts,
  gpus: whole,
  vllm: v.boolean(),
  deepspeed: v.boolean(),
  peft: v.boolean(),
  /** Bytes of the disk with the runs; `free` is what runs may still write. */
  disk: v.optional(v.object({ free: whole, total: whole })),
});
const runOptions = v.partial(
  v.object({
    launcher: v.picklist(['none', 'accelerate']),
    num_processes: whole,
    sharding: v.picklist(['zero3', 'none']),
    precision: v.picklist(['f32', 'bf16']),
    lora: v.nullable(v.partial(v.object({ r: whole, lora_alpha: v.number(), lora_dropout: v.number() }))),
    use_vllm: v.nullable(v.boolean()),
    vllm_gpu_memory_utilization: v.number(),
    gradient_checkpointing: v.boolean(),
    per_device_train_batch_size: v.nullable(whole),
    save_total_limit: v.nullable(whole),
  }),
);
export const runAnswer = v.object({
  id: runId,
  /** When it was created, in seconds since 1970. */
  created: v.number(),
  ...runStatus.entries,
  events: whole,
  /** Why it doesn't go on, or why the server can't read it, in the server's words. */
  note: v.fallback(v.nullish(text(5000)), null),
  /** What it takes on the server's disk. */
  bytes: v.optional(whole),
  // Null when another version made the run: it is listed, but can't be watched here.
  config: v.fallback(v.nullish(runConfig), null),
  remote: v.fallback(v.nullish(runOptions), null),
});
export const datasetTask = v.pipe(v.string(), v.regex(/^dataset:[0-9a-f]{16}$/));
export const datasetAnswer = v.object({
  task: datasetTask,
  rows: v.optional(whole),
  hub: v.nullish(text(200)),
  /** Why the server can't read it. */
  problem: v.optional(text(1000)),
});
export const datasetList = v.pipe(v.array(datasetAnswer), v.maxLength(1000));
export const runList = v.pipe(v.array(runAnswer), v.maxLength(100_000));
export const checkpointList = v.pipe(
  v.array(
    v.object({
      step: whole,
      files: v.pipe(
        v.array(v.object({ name: v.pipe(v.string(), v.regex(/^[A-Za-z0-9][\w.-]{0,199}$/)), bytes: whole })),
        v.maxLength(MAX_FILES),
      ),
    }),
  ),
  v.maxLength(100_000),
);

/** How the server runs a run; it chooses what is left out. Mirrors `RemoteOptions` of remote/. */
export type RemoteRunOptions = v.InferOutput<typeof runOptions>;
/** The status of a run. `seq` is the number of the last command that has taken effect. */
export type RunStatus = v.InferOutput<typeof runStatus>;
export type SidecarInfo = v.InferOutput<typeof infoAnswer>;
export type SidecarDataset = v.InferOutput<typeof datasetAnswer>;
export type SidecarRun = v.InferOutput<typeof runAnswer>;
export type SidecarCheckpoint = v.InferOutput<typeof checkpointList>[number];
export type SidecarCommand = 'pause' | 'resume' | 'step' | 'stop' | 'checkpoint';

/** A message of a run's stream: an event with its number, or the run's status. */
export type RunMessage = { kind: 'run'; id: number; event: RunEvent } | ({ kind: 'status' } & RunStatus);

export const hasEnded = ({ state }: Pick<RunStatus, 'state'>): boolean =>
  state === 'finished' || state === 'stopped' || state === 'failed';

export const isRunId = (id: string): boolean => v.is(runId, id);

/** The answer to `/info`; null when it is something else. */
export function readInfo(answer: unknown): SidecarInfo | null {
  const parsed = v.safeParse(infoAnswer, answer);
  return parsed.success ? parsed.output : null;
}
