/** @file Models that are known to work well, with the shapes from which their size and memory follow. */
import { parameterShapes } from '../../../../formats/hf/architecture';
import { parseDecoderConfig, type DecoderConfig } from '../../../../formats/hf/hf-config';
import { t } from '../../../../i18n';

export interface SuggestedModel {
  /** Its repository on the Hugging Face Hub. */
  repo: string;
  title: string;
  licence: string;
  /** What it is good for, in a sentence. */
  purpose: string;
  /** What to know before downloading it. */
  note?: string;
  config: DecoderConfig;
  parameters: number;
  /** Bytes of the weights in bfloat16, as on the Hub: about the size of the download. */
  bytes: number;
}

/** The part of config.json that determines size and memory. */
interface Shape {
  layers: number;
  hidden: number;
  intermediate: number;
  heads: number;
  keyValueHeads: number;
  /** hidden / heads when left out. */
  headDim?: number;
  vocabulary: number;
  tied: boolean;
  context: number;
}

const architectures = { llama: 'LlamaForCausalLM', qwen2: 'Qwen2ForCausalLM', qwen3: 'Qwen3ForCausalLM' } as const;

function suggest(
  repo: string,
  family: keyof typeof architectures,
  shape: Shape,
  text: Pick<SuggestedModel, 'licence' | 'purpose' | 'note'>,
): SuggestedModel {
  const config = parseDecoderConfig({
    model_type: family,
    architectures: [architectures[family]],
    hidden_act: 'silu',
    num_hidden_layers: shape.layers,
    hidden_size: shape.hidden,
    intermediate_size: shape.intermediate,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.keyValueHeads,
    head_dim: shape.headDim ?? shape.hidden / shape.heads,
    vocab_size: shape.vocabulary,
    tie_word_embeddings: shape.tied,
    max_position_embeddings: shape.context,
    rms_norm_eps: 1e-6,
    eos_token_id: 0,
  });
  const parameters = countParameters(config);
  return { repo, title: repo.slice(repo.indexOf('/') + 1), ...text, config, parameters, bytes: 2 * parameters };
}

const countParameters = (config: DecoderConfig) =>
  parameterShapes(config).reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);

const QWEN = { vocabulary: 151_936, context: 32_768 } as const;
const SMOL = { vocabulary: 49_152, context: 8192, tied: true } as const;

export const suggestedModels: readonly SuggestedModel[] = [
  suggest(
    'deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B',
    'qwen2',
    {
      ...QWEN,
      layers: 28,
      hidden: 1536,
      intermediate: 8960,
      heads: 12,
      keyValueHeads: 2,
      tied: false,
      context: 131_072,
    },
    { licence: 'MIT', purpose: t('models:suggested.purposes.deepseekR1') },
  ),
  suggest(
    'Qwen/Qwen2.5-Math-1.5B-Instruct',
    'qwen2',
    { ...QWEN, layers: 28, hidden: 1536, intermediate: 8960, heads: 12, keyValueHeads: 2, tied: true, context: 4096 },
    { licence: 'Apache 2.0', purpose: t('models:suggested.purposes.qwenMath') },
  ),
  suggest(
    'Qwen/Qwen3-0.6B',
    'qwen3',
    {
      ...QWEN,
      layers: 28,
      hidden: 1024,
      intermediate: 3072,
      heads: 16,
      keyValueHeads: 8,
      headDim: 128,
      tied: true,
      context: 40_960,
    },
    { licence: 'Apache 2.0', purpose: t('models:suggested.purposes.qwen3') },
  ),
  suggest(
    'Qwen/Qwen2.5-0.5B-Instruct',
    'qwen2',
    { ...QWEN, layers: 24, hidden: 896, intermediate: 4864, heads: 14, keyValueHeads: 2, tied: true },
    { licence: 'Apache 2.0', purpose: t('models:suggested.purposes.qwenSmall') },
  ),
  suggest(
    'unsloth/Llama-3.2-1B-Instruct',
    'llama',
    {
      layers: 16,
      hidden: 2048,
      intermediate: 8192,
      heads: 32,
      keyValueHeads: 8,
      vocabulary: 128_256,
      tied: true,
      context: 131_072,
    },
    {
      licence: 'Llama 3.2 Community License',
      purpose: t('models:suggested.purposes.llama'),
      note: t('models:suggested.llamaNote'),
    },
  ),
  suggest(
    'HuggingFaceTB/SmolLM2-135M-Instruct',
    'llama',
    { ...SMOL, layers: 30, hidden: 576, intermediate: 1536, heads: 9, keyValueHeads: 3 },
    { licence: 'Apache 2.0', purpose: t('models:suggested.purposes.smolTiny') },
  ),
  suggest(
    'HuggingFaceTB/SmolLM2-360M-Instruct',
    'llama',
    { ...SMOL, layers: 32, hidden: 960, intermediate: 2560, heads: 15, keyValueHeads: 5 },
    { licence: 'Apache 2.0', purpose: t('models:suggested.purposes.smolSmall') },
  ),
  suggest(
    'HuggingFaceTB/SmolLM2-1.7B-Instruct',
    'llama',
    { ...SMOL, layers: 24, hidden: 2048, intermediate: 8192, heads: 32, keyValueHeads: 32 },
    { licence: 'Apache 2.0', purpose: t('models:suggested.purposes.smolLarge') },
  ),
];
