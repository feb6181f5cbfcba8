/** @file The kinds of servers. A new kind is a file in this folder and a line here. */
import { deepseek } from './deepseek';
import type { Kind, ModelServerKind, StartPreset } from './kind';
import { llamacpp } from './llamacpp';
import { ollama } from './ollama';
import { ollamaV1 } from './ollama-v1';
import { openai } from './openai';
import { sglang } from './sglang';
import { tgi } from './tgi';
import { training } from './training';
import { transformers } from './transformers';
import { vllm } from './vllm';

/** Those that answer prompts, in the order in which they are offered and probed. */
const modelServers = {
  vllm,
  sglang,
  llamacpp,
  ollama,
  'ollama-v1': ollamaV1,
  tgi,
  deepseek,
  transformers,
  openai,
} satisfies Record<string, ModelServerKind>;

export type ServerKind = keyof typeof modelServers;
export const SERVER_KINDS = Object.keys(modelServers) as readonly ServerKind[];

/** The kind that trains models and answers no prompts. */
export const TRAINING = 'tinythink-remote';

/** Every kind that the Connect page knows. */
export type AnyKind = ServerKind | typeof TRAINING;
export const ALL_KINDS: readonly AnyKind[] = [...SERVER_KINDS, TRAINING];

const all: Readonly<Record<AnyKind, Kind>> = { ...modelServers, [TRAINING]: training };

export const modelServerKind = (kind: ServerKind): ModelServerKind => modelServers[kind];
export const kindOf = (kind: AnyKind): Kind => all[kind];

/** The kind that usually listens on a port. */
export function kindOfPort(url: string): AnyKind {
  const { port } = new URL(url);
  return ALL_KINDS.find((kind) => port !== '' && new URL(all[kind].defaultUrl).port === port) ?? 'openai';
}

/** Ends of addresses that people copy from a manual, the longest first. */
export const COPIED_PATHS: readonly string[] = [
  ...new Set(Object.values(modelServers).flatMap(({ copiedPaths }) => copiedPaths)),
].sort((a, b) => b.length - a.length);

export interface ServerPreset extends StartPreset {
  kind: AnyKind;
  /** Where the server then answers, on the machine itself. */
  url: string;
}

/** How to start servers so that pages of `origin` may use them. @param origin as `location.origin` has it */
export const serverPresets = (origin: string): ServerPreset[] =>
  ALL_KINDS.flatMap((kind) =>
    all[kind].startPresets(origin).map((preset) => ({ ...preset, kind, url: all[kind].defaultUrl })),
  );
