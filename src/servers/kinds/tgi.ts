/** @file Text Generation Inference (https://huggingface.co/docs/text-generation-inference). */
import * as v from 'valibot';
import { t } from '../../i18n';
import { openAiProtocol } from '../chat/openai-protocol';
import { DEEPSEEK_R1, shellWord } from '../commands';
import type { ModelServerKind } from './kind';

const NAME = 'TGI';
const MODEL = `${DEEPSEEK_R1}-Distill-Qwen-7B`;

const info = v.object({
  model_id: v.pipe(v.string(), v.minLength(1), v.maxLength(500)),
  max_total_tokens: v.fallback(v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1))), undefined),
});

const allowPage = (origin: string): string => `--cors-allow-origin ${shellWord(origin)}`;

export const tgi: ModelServerKind = {
  ...openAiProtocol({ name: NAME, seed: true, maxTopLogprobs: 5, usage: true }),
  name: NAME,
  defaultUrl: 'http://localhost:3000',
  detection: { probe: { path: '/info', matches: (answer) => v.is(info, answer) } },
  reasoningInText: true,
  modelsPath: () => '/info',
  readModels(answer) {
    const parsed = v.safeParse(info, answer);
    if (!parsed.success) return null;
    const { model_id: id, max_total_tokens: context } = parsed.output;
    return [{ id, ...(context && { context }) }];
  },
  corsRemedies: (origin, withKey) => [
    {
      text: withKey ? t('servers:tgi.corsWithKey') : t('servers:remedies.startWith', { server: NAME }),
      command: allowPage(origin),
    },
  ],
  keyRemedy: { text: t('servers:tgi.key'), command: '--api-key …' },
  listenOption: '--hostname 0.0.0.0',
  startPresets: (origin) => [
    {
      id: 'tgi-7b',
      title: t('servers:presets.distillation', { size: '7B' }),
      needs: t('servers:tgi.needs'),
      commands: [
        `docker run --gpus all --shm-size 1g -p 127.0.0.1:3000:80 -v "$PWD/data:/data" ghcr.io/huggingface/text-generation-inference:latest --model-id ${MODEL} --max-total-tokens 16384 ${allowPage(origin)}`,
      ],
      model: MODEL,
    },
  ],
};
