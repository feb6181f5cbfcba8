/** @file SGLang (https://docs.sglang.ai). */
import { t } from '../../i18n';
import { openAiProtocol } from '../chat/openai-protocol';
import { DEEPSEEK_R1, MAKE_KEY, USE_KEY } from '../commands';
import type { ModelServerKind } from './kind';

const NAME = 'SGLang';

const launch = (model: string, options: string): string =>
  `python -m sglang.launch_server --model-path ${model} ${options} --reasoning-parser deepseek-r1 --port 30000 ${USE_KEY}`;

export const sglang: ModelServerKind = {
  ...openAiProtocol({
    name: NAME,
    seed: true,
    top_k: true,
    min_p: true,
    repetitionPenalty: 'repetition_penalty',
    maxTopLogprobs: 20,
    usage: true,
    continues: 'with keys',
  }),
  name: NAME,
  defaultUrl: 'http://localhost:30000',
  detection: { owner: 'sglang' },
  reasoningInText: false,
  corsRemedies: (origin) => [{ text: t('servers:sglang.cors'), command: `Access-Control-Allow-Origin: ${origin}` }],
  keyRemedy: { text: t('servers:remedies.startKey'), command: '--api-key …' },
  listenOption: '--host 0.0.0.0',
  startPresets: () => [
    {
      id: 'sglang-32b',
      title: t('servers:presets.distillation', { size: '32B' }),
      needs: t('servers:sglang.needs32b'),
      commands: [MAKE_KEY, launch(`${DEEPSEEK_R1}-Distill-Qwen-32B`, '--tp 2')],
      model: `${DEEPSEEK_R1}-Distill-Qwen-32B`,
    },
    {
      id: 'sglang-671b',
      title: t('servers:presets.whole'),
      needs: t('servers:sglang.needs671b'),
      commands: [MAKE_KEY, launch(`${DEEPSEEK_R1}-0528`, '--tp 8 --trust-remote-code')],
      model: `${DEEPSEEK_R1}-0528`,
    },
  ],
};
