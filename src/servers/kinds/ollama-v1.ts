/** @file Ollama through its OpenAI-compatible paths, for those who prefer them; its own protocol does more. */
import { t } from '../../i18n';
import { openAiProtocol } from '../chat/openai-protocol';
import type { ModelServerKind } from './kind';
import { ollamaCorsRemedies } from './ollama';

const NAME = t('servers:kinds.ollamaV1');

export const ollamaV1: ModelServerKind = {
  ...openAiProtocol({ name: NAME, seed: true, maxTopLogprobs: 20, usage: true, continues: 'by itself' }),
  name: NAME,
  defaultUrl: 'http://localhost:11434',
  // Ollama itself is found first.
  detection: {},
  reasoningInText: false,
  corsRemedies: ollamaCorsRemedies,
  keyRemedy: { text: t('servers:remedies.proxyKey') },
  listenOption: 'OLLAMA_HOST=0.0.0.0',
  startPresets: () => [],
};
