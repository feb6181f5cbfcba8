/** @file The papers and programs this stands on, and what each gave. */

export interface Credit {
  title: string;
  href: string;
  gave: string;
}

const arxiv = (id: string) => `https://arxiv.org/abs/${id}`;

export const papers: readonly Credit[] = [
  { title: 'DeepSeekMath', href: arxiv('2402.03300'), gave: 'GRPO: the group is the baseline' },
  {
    title: 'DeepSeek-R1',
    href: arxiv('2501.12948'),
    gave: 'rewards by rule, the think block, reasoning from reinforcement alone',
  },
  {
    title: 'Understanding R1-Zero-like training',
    href: arxiv('2503.20783'),
    gave: 'Dr. GRPO, and why 1/length favours long wrong answers',
  },
  { title: 'DAPO', href: arxiv('2503.14476'), gave: 'averaging over tokens, and a looser upper clip' },
  { title: 'MiniMax-M1', href: arxiv('2506.13585'), gave: 'CISPO: clip the weight, keep the gradient' },
  { title: 'GSPO', href: arxiv('2507.18071'), gave: 'one ratio for a whole sequence' },
  { title: 'SAPO', href: arxiv('2511.20347'), gave: 'a soft gate instead of a clip' },
  {
    title: 'How reinforcement learning after next-token prediction facilitates learning',
    href: arxiv('2510.11495'),
    gave: 'the parity task, and why long chains win',
  },
  { title: 'STaR', href: arxiv('2203.14465'), gave: 'learning from one’s own right answers' },
  { title: 'LoRA', href: arxiv('2106.09685'), gave: 'adapters that learn while a large model stays as it is' },
  { title: 'FlashAttention', href: arxiv('2205.14135'), gave: 'attention in tiles, and for one token in stretches' },
];

export const programs: readonly Credit[] = [
  {
    title: 'TRL',
    href: 'https://github.com/huggingface/trl',
    gave: 'names, defaults and the exact losses that this is checked against',
  },
  {
    title: 'PyTorch and Transformers',
    href: 'https://github.com/huggingface/transformers',
    gave: 'the logits and gradients it is checked against',
  },
  {
    title: 'ggml and llama.cpp',
    href: 'https://github.com/ggml-org/llama.cpp',
    gave: 'GGUF, its block formats and how they round',
  },
  { title: 'llm.c', href: 'https://github.com/karpathy/llm.c', gave: 'layers with explicit forward and backward' },
  {
    title: 'Dawn and WESL',
    href: 'https://wesl-lang.dev',
    gave: 'WebGPU outside the browser, and imports for its shaders',
  },
];
