/** @file Any other server that speaks OpenAI's protocol, hosted or not. */
import { t } from '../../i18n';
import { openAiProtocol } from '../chat/openai-protocol';
import type { ModelServerKind, Remedy } from './kind';

const NAME = t('servers:kinds.openai');

/** The headers that let pages of an origin read a server's answers, for servers without an option of their own. */
export const corsHeaders = (origin: string): Remedy[] => [
  {
    text: t('servers:openai.cors'),
    command: `Access-Control-Allow-Origin: ${origin}\nAccess-Control-Allow-Headers: Authorization, Content-Type`,
  },
];

export const openai: ModelServerKind = {
  ...openAiProtocol({ name: NAME, seed: true, maxTopLogprobs: 20, usage: true }),
  name: NAME,
  defaultUrl: 'http://localhost:8000',
  // What is left when no other kind is recognised.
  detection: {},
  reasoningInText: true,
  corsRemedies: corsHeaders,
  keyRemedy: { text: t('servers:openai.key') },
  listenOption: '--host 0.0.0.0',
  startPresets: () => [],
};
