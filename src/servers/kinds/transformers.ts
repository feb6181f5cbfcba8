/** @file `transformers serve` (https://huggingface.co/docs/transformers/serving). */
import * as v from 'valibot';
import { t } from '../../i18n';
import { emptyFrame } from '../chat/frame';
import { openAiProtocol } from '../chat/openai-protocol';
import { DEEPSEEK_R1 } from '../commands';
import type { ModelServerKind } from './kind';

const NAME = 'transformers serve';
const MODEL = `${DEEPSEEK_R1}-Distill-Qwen-1.5B`;

// It refuses keys that it doesn't know, and warns about those that it knows and ignores.
const protocol = openAiProtocol({ name: NAME, seed: true });

export const transformers: ModelServerKind = {
  ...protocol,
  name: NAME,
  defaultUrl: 'http://localhost:8000',
  detection: {
    probe: {
      path: '/openapi.json',
      // Among the paths that it describes, this one is its own.
      matches: (answer) => v.is(v.object({ paths: v.object({ '/load_model': v.unknown() }) }), answer),
    },
  },
  reasoningInText: true,
  readFrame(data) {
    // It puts an error's words between quotes without escaping them, so that they may be no JSON.
    const frame = protocol.readFrame(data);
    const unescaped = frame ? null : /^\s*\{"error": ?"([^]*)"\}\s*$/.exec(data);
    return unescaped ? { ...emptyFrame(), error: unescaped[1]! } : frame;
  },
  corsRemedies: () => [{ text: t('servers:transformers.cors'), command: '--enable-cors' }],
  keyRemedy: { text: t('servers:remedies.proxyKey') },
  listenOption: '--host 0.0.0.0',
  startPresets: () => [
    {
      id: 'transformers-1.5b',
      title: t('servers:presets.distillation', { size: '1.5B' }),
      needs: t('servers:transformers.needs'),
      commands: ['pip install "transformers[serving]"', `transformers serve ${MODEL} --port 8000 --enable-cors`],
      model: MODEL,
    },
  ],
};
