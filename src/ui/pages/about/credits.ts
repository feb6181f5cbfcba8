/** @file The papers and software that this project builds on, and what each gave. */
import { t } from '../../../i18n';

export interface Credit {
  title: string;
  href: string;
  gave: string;
}

const arxiv = (id: string) => `https://arxiv.org/abs/${id}`;

export const papers: readonly Credit[] = [
  { title: 'DeepSeekMath', href: arxiv('2402.03300'), gave: t('about:credits.gave.grpo') },
  {
    title: 'DeepSeek-R1',
    href: arxiv('2501.12948'),
    gave: t('about:credits.gave.r1'),
  },
  {
    title: 'Understanding R1-Zero-like training',
    href: arxiv('2503.20783'),
    gave: t('about:credits.gave.drGrpo'),
  },
  { title: 'DAPO', href: arxiv('2503.14476'), gave: t('about:credits.gave.dapo') },
  { title: 'MiniMax-M1', href: arxiv('2506.13585'), gave: t('about:credits.gave.cispo') },
  { title: 'GSPO', href: arxiv('2507.18071'), gave: t('about:credits.gave.gspo') },
  { title: 'SAPO', href: arxiv('2511.20347'), gave: t('about:credits.gave.sapo') },
  {
    title: 'How reinforcement learning after next-token prediction facilitates learning',
    href: arxiv('2510.11495'),
    gave: t('about:credits.gave.parity'),
  },
  { title: 'STaR', href: arxiv('2203.14465'), gave: t('about:credits.gave.star') },
  { title: 'LoRA', href: arxiv('2106.09685'), gave: t('about:credits.gave.lora') },
  { title: 'FlashAttention', href: arxiv('2205.14135'), gave: t('about:credits.gave.flashAttention') },
];

export const programs: readonly Credit[] = [
  {
    title: 'TRL',
    href: 'https://github.com/huggingface/trl',
    gave: t('about:credits.gave.trl'),
  },
  {
    title: 'PyTorch and Transformers',
    href: 'https://github.com/huggingface/transformers',
    gave: t('about:credits.gave.transformers'),
  },
  {
    title: 'ggml and llama.cpp',
    href: 'https://github.com/ggml-org/llama.cpp',
    gave: t('about:credits.gave.ggml'),
  },
  { title: 'llm.c', href: 'https://github.com/karpathy/llm.c', gave: t('about:credits.gave.llmC') },
  {
    title: 'Dawn and WESL',
    href: 'https://wesl-lang.dev',
    gave: t('about:credits.gave.dawn'),
  },
];
