/** @file vLLM (https://docs.vllm.ai): the usual choice for a GPU server. */
import { t } from '../../i18n';
import { openAiProtocol } from '../chat/openai-protocol';
import { DEEPSEEK_R1, MAKE_KEY, USE_KEY, shellWord } from '../commands';
import type { ModelServerKind } from './kind';

const NAME = 'vLLM';

interface Size {
  id: string;
  title: string;
  needs: string;
  model: string;
  options: string;
  before?: string[];
}

const sizes = (): Size[] => [
  {
    id: 'vllm-7b',
    title: t('servers:presets.distillation', { size: '7B' }),
    needs: t('servers:presets.gpus', { count: 1, memory: 24 }),
    model: `${DEEPSEEK_R1}-Distill-Qwen-7B`,
    options: '--max-model-len 16384',
  },
  {
    id: 'vllm-32b',
    title: t('servers:presets.distillation', { size: '32B' }),
    needs: t('servers:vllm.needs32b'),
    model: `${DEEPSEEK_R1}-Distill-Qwen-32B`,
    options: '--tensor-parallel-size 2 --max-model-len 32768',
  },
  {
    id: 'vllm-70b',
    title: t('servers:presets.distillation', { size: '70B' }),
    needs: t('servers:vllm.needs70b'),
    model: `${DEEPSEEK_R1}-Distill-Llama-70B`,
    options: '--tensor-parallel-size 4 --max-model-len 32768',
  },
  {
    id: 'vllm-671b',
    title: t('servers:vllm.oneNode'),
    needs: t('servers:vllm.needsOneNode'),
    model: `${DEEPSEEK_R1}-0528`,
    options: '--tensor-parallel-size 8 --max-model-len 65536 --trust-remote-code',
  },
  {
    id: 'vllm-671b-two-nodes',
    title: t('servers:vllm.twoNodes'),
    needs: t('servers:vllm.needsTwoNodes'),
    model: `${DEEPSEEK_R1}-0528`,
    options:
      '--tensor-parallel-size 8 --pipeline-parallel-size 2 --max-model-len 32768 --trust-remote-code --distributed-executor-backend ray',
    before: [
      `ray start --head --port 6379                # ${t('servers:vllm.onFirstNode')}`,
      `ray start --address FIRST_NODE:6379          # ${t('servers:vllm.onSecondNode')}`,
    ],
  },
];

const allowPage = (origin: string): string => `--allowed-origins ${shellWord(JSON.stringify([origin]))}`;

export const vllm: ModelServerKind = {
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
  defaultUrl: 'http://localhost:8000',
  detection: { owner: 'vllm' },
  reasoningInText: false,
  corsRemedies: (origin) => [{ text: t('servers:remedies.startWith', { server: NAME }), command: allowPage(origin) }],
  keyRemedy: { text: t('servers:remedies.startKey'), command: '--api-key …' },
  listenOption: '--host 0.0.0.0',
  startPresets: (origin) =>
    sizes().map(({ id, title, needs, model, options, before = [] }) => ({
      id,
      title,
      needs,
      model,
      commands: [
        ...before,
        MAKE_KEY,
        `vllm serve ${model} ${options} --reasoning-parser deepseek_r1 ${allowPage(origin)} ${USE_KEY}`,
      ],
    })),
};
