/** @file llama-server of llama.cpp (https://github.com/ggml-org/llama.cpp). */
import { t } from '../../i18n';
import { openAiProtocol } from '../chat/openai-protocol';
import { shellWord } from '../commands';
import type { ModelServerKind } from './kind';

const NAME = 'llama.cpp';
const MODEL = 'bartowski/DeepSeek-R1-Distill-Qwen-7B-GGUF:Q4_K_M';

const allowPage = (origin: string): string =>
  `--cors-origins ${shellWord(origin)} --cors-headers "Authorization,Content-Type"`;

export const llamacpp: ModelServerKind = {
  ...openAiProtocol({
    name: NAME,
    seed: true,
    top_k: true,
    min_p: true,
    repetitionPenalty: 'repeat_penalty',
    ownDefaults: true,
    maxTopLogprobs: 20,
    usage: true,
    continues: 'by itself',
  }),
  name: NAME,
  defaultUrl: 'http://localhost:8080',
  detection: { owner: 'llamacpp' },
  reasoningInText: false,
  corsRemedies: (origin) => [{ text: t('servers:llamacpp.cors'), command: allowPage(origin) }],
  keyRemedy: { text: t('servers:remedies.startKey'), command: '--api-key …' },
  listenOption: '--host 0.0.0.0',
  startPresets: (origin) => [
    {
      id: 'llamacpp-7b',
      title: t('servers:llamacpp.title'),
      needs: t('servers:llamacpp.needs'),
      commands: [
        `llama-server -hf ${MODEL} -c 16384 -ngl 99 --jinja --reasoning-format deepseek --port 8080 ${allowPage(origin)}`,
      ],
      model: MODEL,
    },
  ],
};
