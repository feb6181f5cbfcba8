/** @file DeepSeek's hosted API (https://api-docs.deepseek.com). */
import { t } from '../../i18n';
import { openAiProtocol } from '../chat/openai-protocol';
import type { ModelServerKind } from './kind';
import { corsHeaders } from './openai';

const NAME = t('servers:kinds.deepseek');

export const deepseek: ModelServerKind = {
  ...openAiProtocol({ name: NAME, maxTopLogprobs: 20, usage: true }),
  name: NAME,
  defaultUrl: 'https://api.deepseek.com',
  detection: { host: 'api.deepseek.com' },
  reasoningInText: false,
  corsRemedies: corsHeaders,
  keyRemedy: { text: t('servers:deepseek.key') },
  listenOption: '--host 0.0.0.0',
  startPresets: () => [],
};
