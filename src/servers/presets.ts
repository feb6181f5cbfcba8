/** @file The command that starts each kind of server, with R1 or one of its distillations or to train, ready for this page. */
import { corsRemedies, shellWord } from './remedies';
import { DEFAULT_URLS, TRAINING, type AnyKind } from './server';

export interface ServerPreset {
  id: string;
  kind: AnyKind;
  title: string;
  /** What it needs. */
  needs: string;
  /** One a line of a terminal. */
  commands: string[];
  /** Where it then answers, on the machine itself. */
  url: string;
  /** As the server will name the model; empty for one that trains those of a folder. */
  model: string;
}

const HUB = 'deepseek-ai/DeepSeek-R1';

interface VllmSize {
  id: string;
  title: string;
  needs: string;
  model: string;
  flags: string;
  before?: string[];
}

const VLLM: readonly VllmSize[] = [
  {
    id: 'vllm-7b',
    title: 'R1 distillation, 7B',
    needs: 'One GPU with 24 GB.',
    model: `${HUB}-Distill-Qwen-7B`,
    flags: '--max-model-len 16384',
  },
  {
    id: 'vllm-32b',
    title: 'R1 distillation, 32B',
    needs: 'Two GPUs with 48 GB or more each; the weights are 66 GB.',
    model: `${HUB}-Distill-Qwen-32B`,
    flags: '--tensor-parallel-size 2 --max-model-len 32768',
  },
  {
    id: 'vllm-70b',
    title: 'R1 distillation, 70B',
    needs:
      'Four GPUs with 48 GB or more each, or two with 141 GB (then --tensor-parallel-size 2); the weights are 141 GB.',
    model: `${HUB}-Distill-Llama-70B`,
    flags: '--tensor-parallel-size 4 --max-model-len 32768',
  },
  {
    id: 'vllm-671b',
    title: 'R1 itself, 671B, on one node',
    needs: 'Eight GPUs with 141 GB each (8×H200); the weights in FP8 are about 690 GB.',
    model: `${HUB}-0528`,
    flags: '--tensor-parallel-size 8 --max-model-len 65536 --trust-remote-code',
  },
  {
    id: 'vllm-671b-two-nodes',
    title: 'R1 itself, 671B, on two nodes',
    needs: 'Two nodes of eight GPUs with 80 GB each (2×8×H100), joined by a fast network.',
    model: `${HUB}-0528`,
    flags:
      '--tensor-parallel-size 8 --pipeline-parallel-size 2 --max-model-len 32768 --trust-remote-code --distributed-executor-backend ray',
    before: [
      'ray start --head --port 6379                # on the first node',
      'ray start --address FIRST_NODE:6379          # on the second, then go on with the first',
    ],
  },
];

const OLLAMA: readonly (readonly [size: string, needs: string])[] = [
  ['1.5b', '1.1 GB; any machine.'],
  ['7b', '4.7 GB; 8 GB of memory.'],
  ['8b', '5.2 GB; 8 GB of memory.'],
  ['14b', '9.0 GB; 16 GB of memory.'],
  ['32b', '20 GB; a GPU with 24 GB.'],
  ['70b', '43 GB; two GPUs with 24 GB, or 64 GB of shared memory.'],
  ['671b', '404 GB; a server with eight GPUs of 80 GB, or very much memory and patience.'],
];

/**
 * The presets for a page of `origin`.
 * @param origin as `location.origin` has it
 */
export function serverPresets(origin: string): ServerPreset[] {
  const flag = (kind: AnyKind) => corsRemedies(kind, origin)[0]!.command!;
  // vLLM, SGLang and llama.cpp take the key of an environment variable here, so that it stays out of the manual's text.
  const key = '--api-key "$KEY"';
  const makeKey = 'KEY=$(openssl rand -hex 16); echo "$KEY"';
  const url = (kind: AnyKind) => DEFAULT_URLS[kind];
  return [
    ...VLLM.map(({ id, title, needs, model, flags, before = [] }): ServerPreset => ({
      id,
      kind: 'vllm',
      title,
      needs,
      commands: [
        ...before,
        makeKey,
        `vllm serve ${model} ${flags} --reasoning-parser deepseek_r1 ${flag('vllm')} ${key}`,
      ],
      url: url('vllm'),
      model,
    })),
    ...OLLAMA.map(([size, needs]): ServerPreset => ({
      id: `ollama-${size}`,
      kind: 'ollama',
      title: size === '671b' ? 'R1 itself, 671B' : `R1 distillation, ${size.toUpperCase()}`,
      needs,
      commands: [`OLLAMA_ORIGINS=${shellWord(origin)} ollama serve &`, `ollama pull deepseek-r1:${size}`],
      url: url('ollama'),
      model: `deepseek-r1:${size}`,
    })),
    {
      id: 'sglang-32b',
      kind: 'sglang',
      title: 'R1 distillation, 32B',
      needs: 'Two GPUs with 48 GB or more each.',
      commands: [
        makeKey,
        `python -m sglang.launch_server --model-path ${HUB}-Distill-Qwen-32B --tp 2 --reasoning-parser deepseek-r1 --port 30000 ${key}`,
      ],
      url: url('sglang'),
      model: `${HUB}-Distill-Qwen-32B`,
    },
    {
      id: 'sglang-671b',
      kind: 'sglang',
      title: 'R1 itself, 671B',
      needs: 'Eight GPUs with 141 GB each (8×H200).',
      commands: [
        makeKey,
        `python -m sglang.launch_server --model-path ${HUB}-0528 --tp 8 --trust-remote-code --reasoning-parser deepseek-r1 --port 30000 ${key}`,
      ],
      url: url('sglang'),
      model: `${HUB}-0528`,
    },
    {
      id: 'llamacpp-7b',
      kind: 'llamacpp',
      title: 'R1 distillation, 7B, four bits',
      needs: '6 GB of memory, on a GPU or without one.',
      commands: [
        `llama-server -hf bartowski/DeepSeek-R1-Distill-Qwen-7B-GGUF:Q4_K_M -c 16384 -ngl 99 --jinja --reasoning-format deepseek --port 8080 ${flag('llamacpp')}`,
      ],
      url: url('llamacpp'),
      model: 'bartowski/DeepSeek-R1-Distill-Qwen-7B-GGUF:Q4_K_M',
    },
    {
      id: 'tgi-7b',
      kind: 'tgi',
      title: 'R1 distillation, 7B',
      needs: 'One GPU with 24 GB, and Docker.',
      commands: [
        `docker run --gpus all --shm-size 1g -p 127.0.0.1:3000:80 -v "$PWD/data:/data" ghcr.io/huggingface/text-generation-inference:latest --model-id ${HUB}-Distill-Qwen-7B --max-total-tokens 16384 ${flag('tgi')}`,
      ],
      url: url('tgi'),
      model: `${HUB}-Distill-Qwen-7B`,
    },
    {
      id: 'transformers-1.5b',
      kind: 'transformers',
      title: 'R1 distillation, 1.5B',
      needs: '4 GB of memory, on a GPU or (slowly) without one.',
      commands: [
        'pip install "transformers[serving]"',
        `transformers serve ${HUB}-Distill-Qwen-1.5B --port 8000 ${flag('transformers')}`,
      ],
      url: url('transformers'),
      model: `${HUB}-Distill-Qwen-1.5B`,
    },
    {
      id: 'training',
      kind: TRAINING,
      title: 'GRPO on a GPU, through ssh',
      needs:
        'A machine with an NVIDIA GPU (or, slowly, without one), Python 3.10 or later, and a clone of this repository. ' +
        'The last line is for this device: it brings the server here, so that no key is needed.',
      commands: [
        'python3 -m venv .venv && .venv/bin/pip install ./remote',
        `.venv/bin/python -m tinythink_remote serve --models public/models --runs ~/tinythink-runs ${flag(TRAINING)}`,
        'ssh -NL 8790:localhost:8790 you@server       # here',
      ],
      url: url(TRAINING),
      model: '',
    },
    {
      id: 'training-token',
      kind: TRAINING,
      title: 'GRPO on a GPU, with a token',
      needs:
        'As above, at an address that others can reach. It speaks plain http: put https in front of it wherever the way there is not your own.',
      commands: [
        '(umask 077; openssl rand -hex 32 > token); cat token',
        `.venv/bin/python -m tinythink_remote serve --models public/models --runs ~/tinythink-runs --host 0.0.0.0 --token-file token ${flag(TRAINING)}`,
      ],
      url: url(TRAINING),
      model: '',
    },
  ];
}
