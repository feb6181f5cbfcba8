/** @file Ollama (https://ollama.com) with its own protocol: JSON lines, and more settings than its OpenAI paths accept. */
import * as v from 'valibot';
import { t } from '../../i18n';
import { errorIn } from '../chat/error-text';
import { count, emptyFrame, frameToken, lenient, reportOf, tokenLogprob, type Frame } from '../chat/frame';
import { requestParts, type Accepted } from '../chat/request-body';
import { shellWord } from '../commands';
import type { RemoteModel } from '../models';
import { parseJson } from '../stream';
import type { ModelServerKind, Remedy, StartPreset } from './kind';

const NAME = 'Ollama';

const ACCEPTED: Accepted = {
  name: NAME,
  seed: true,
  top_k: true,
  min_p: true,
  repetitionPenalty: 'repeat_penalty',
  ownDefaults: true,
  maxTopLogprobs: 20,
  continues: 'by itself',
};

const text = v.nullish(v.string(), '');
const lineSchema = v.object({
  message: v.nullish(v.object({ content: text, thinking: text })),
  done: v.nullish(v.boolean(), false),
  done_reason: lenient(v.string()),
  logprobs: lenient(v.array(tokenLogprob)),
  prompt_eval_count: lenient(count),
  prompt_eval_duration: lenient(count),
  eval_count: lenient(count),
  eval_duration: lenient(count),
  load_duration: lenient(count),
});

/** Reads a line of Ollama's protocol. Durations are in nanoseconds there. */
function readFrame(data: string): Frame | null {
  if (data.trim() === '') return emptyFrame();
  const json = parseJson(data);
  if (json === null) return emptyFrame();
  const error = errorIn(json);
  const parsed = v.safeParse(lineSchema, json);
  if (!parsed.success) return error === null ? null : { ...emptyFrame(), error };
  const { message, done, done_reason, logprobs, ...counts } = parsed.output;
  const ms = (nanoseconds: number | null | undefined) => (nanoseconds == null ? undefined : nanoseconds / 1e6);
  return {
    ...emptyFrame(),
    error,
    reasoning: message?.thinking ?? '',
    content: message?.content ?? '',
    tokens: (logprobs ?? []).map(frameToken),
    finish: done ? done_reason || 'stop' : null,
    done,
    report: reportOf({
      prompt_tokens: counts.prompt_eval_count,
      cached_tokens: undefined,
      completion_tokens: counts.eval_count,
      reasoning_tokens: undefined,
      load_ms: ms(counts.load_duration),
      prompt_ms: ms(counts.prompt_eval_duration),
      completion_ms: ms(counts.eval_duration),
    }),
  };
}

const word = v.fallback(v.nullish(v.pipe(v.string(), v.maxLength(100))), undefined);
const tagList = v.object({
  models: v.array(
    v.object({
      name: v.pipe(v.string(), v.minLength(1), v.maxLength(500)),
      details: v.fallback(v.nullish(v.object({ parameter_size: word, quantization_level: word })), undefined),
    }),
  ),
});

function readModels(answer: unknown): RemoteModel[] | null {
  const parsed = v.safeParse(tagList, answer);
  if (!parsed.success) return null;
  return parsed.output.models.map(({ name, details }) => {
    const detail = [details?.parameter_size, details?.quantization_level].filter(Boolean).join(', ');
    return { id: name, ...(detail && { detail }) };
  });
}

/** How Ollama is told to answer pages of an origin, on each system. */
export const ollamaCorsRemedies = (origin: string): Remedy[] => [
  { text: t('servers:ollama.corsTerminal'), command: `OLLAMA_ORIGINS=${shellWord(origin)} ollama serve` },
  { text: t('servers:ollama.corsMac'), command: `launchctl setenv OLLAMA_ORIGINS ${shellWord(origin)}` },
  { text: t('servers:ollama.corsWindows'), command: `setx OLLAMA_ORIGINS "${origin}"` },
  { text: t('servers:ollama.corsService'), command: `Environment="OLLAMA_ORIGINS=${origin}"` },
];

const SIZES = ['1.5b', '7b', '8b', '14b', '32b', '70b', '671b'] as const;

const startPreset = (size: (typeof SIZES)[number], origin: string): StartPreset => ({
  id: `ollama-${size}`,
  title: size === '671b' ? t('servers:presets.whole') : t('servers:presets.distillation', { size: size.toUpperCase() }),
  needs: t(`servers:ollama.needs.${size.replace('.', '_') as '1_5b' | '7b' | '8b' | '14b' | '32b' | '70b' | '671b'}`),
  commands: [`OLLAMA_ORIGINS=${shellWord(origin)} ollama serve &`, `ollama pull deepseek-r1:${size}`],
  model: `deepseek-r1:${size}`,
});

export const ollama: ModelServerKind = {
  name: NAME,
  defaultUrl: 'http://localhost:11434',
  detection: {
    probe: { path: '/api/version', matches: (answer) => v.is(v.object({ version: v.string() }), answer) },
  },
  reasoningInText: false,
  statusPath: '/api/tags',
  chatPath: () => '/api/chat',
  modelsPath: () => '/api/tags',
  copiedPaths: ['/api/chat', '/api/generate', '/api/tags', '/api/version'],
  readModels,
  requestBody(model, request, refused) {
    const { messages, sampling, extra, ignored } = requestParts(ACCEPTED, request, refused);
    const body = {
      model,
      messages,
      stream: true,
      ...extra,
      ...(!refused.has('think') && { think: true }),
      options: { ...sampling, num_predict: request.max_tokens },
    };
    return { body, ignored };
  },
  readFrame,
  corsRemedies: ollamaCorsRemedies,
  keyRemedy: { text: t('servers:remedies.proxyKey') },
  listenOption: 'OLLAMA_HOST=0.0.0.0',
  startPresets: (origin) => SIZES.map((size) => startPreset(size, origin)),
};
