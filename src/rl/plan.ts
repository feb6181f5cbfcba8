/** @file What a run needs of the GPU: sizes chosen for the adapter, and the bytes they come to, known before any is taken. */
import { formatMegabytes } from '../base/bytes';
import type { DecoderConfig } from '../formats/hf/hf-config';
import { OutOfMemoryError, type GpuTraits } from '../gpu/gpu';
import { decoderBytes } from '../model/train/decoder-buffers';
import type { GroupSamplerPlan } from '../model/decode/decode-layout';
import { GroupSampler } from '../model/decode/group-sampler';
import type { LearnerPlan } from '../model/train/learner';
import { parameterLayout } from '../model/train/parameters';
import type { RunConfig } from './config';
import { MAX_PROMPT_LENGTH } from './prompt';

/** Micro-batches larger than this gain little and cost memory: 43 kB a token for the embedded model. */
const MICRO_BATCH_TOKENS = 8192;

/** What a run may take, so that it fits beside a browser on a laptop's GPU. */
const MEMORY_BUDGET = 512e6;

export interface RunPlan {
  learner: LearnerPlan;
  generator: GroupSamplerPlan;
  /** Bytes by what they are for, and in `total`. */
  bytes: Record<string, number>;
}

/**
 * Sizes for a run, within the memory budget: first the completions' cache, which a step can't do without, then as large a
 * micro-batch as fits, whole groups of tokens at a time.
 * @throws OutOfMemoryError with the number when the run can't fit
 */
export function planRun(
  gpu: GpuTraits,
  model: DecoderConfig,
  config: Pick<RunConfig, 'num_prompts' | 'num_generations' | 'max_completion_length' | 'beta'>,
  budget: number = MEMORY_BUDGET,
): RunPlan {
  const { num_prompts, num_generations, max_completion_length } = config;
  const sequences = num_prompts * num_generations;
  const layout = parameterLayout(model);
  const maxPositions = MAX_PROMPT_LENGTH + max_completion_length;
  const generator = {
    maxRows: sequences,
    maxPromptTokens: Math.max(num_prompts * MAX_PROMPT_LENGTH, Math.min(sequences, 128) * MAX_PROMPT_LENGTH),
    maxPromptLength: MAX_PROMPT_LENGTH,
    maxNewTokens: max_completion_length,
  };
  const batchRows = sequences * max_completion_length;
  const fixed: Record<string, number> = {
    // parameters, gradients, two moments, and the reference model
    'weights and optimizer': layout.count * 4 * (4 + (config.beta !== 0 ? 1 : 0)),
    sampling: GroupSampler.bytes(gpu, model, layout, generator),
    'token values': batchRows * 4 * 5 + sequences * 48,
  };
  const spent = Object.values(fixed).reduce((a, b) => a + b);
  const step = 256;
  // A micro-batch holds at least one sequence with its prompt.
  const least = Math.ceil(maxPositions / step) * step;
  const most = Math.max(
    least,
    Math.min(MICRO_BATCH_TOKENS, Math.ceil((batchRows + num_prompts * MAX_PROMPT_LENGTH) / step) * step),
  );
  const activations = (maxTokens: number) =>
    decoderBytes(model, { maxTokens, maxRows: maxTokens, maxPositions, training: true }, gpu) +
    slotBytes(maxTokens, model.vocab_size, batchRows);
  let maxTokens = most;
  while (maxTokens > least && spent + activations(maxTokens) > budget) maxTokens -= step;
  const bytes = { ...fixed, activations: activations(maxTokens) };
  const total = spent + bytes.activations;
  if (total > budget) {
    throw new OutOfMemoryError(
      `This run needs ${formatMegabytes(total)} of GPU memory, more than the ${formatMegabytes(budget)} it may take. Choose fewer prompts, a smaller group, shorter completions or a smaller model.`,
    );
  }
  return {
    learner: { maxTokens, maxPositions, batchRows, batchSequences: sequences, reference: config.beta !== 0 },
    generator,
    bytes: { ...bytes, total },
  };
}

/** Bytes of the index buffers of as many micro-batches as a batch can come to, roughly: small beside the rest. */
function slotBytes(maxTokens: number, vocab: number, batchRows: number): number {
  const slots = Math.ceil((1.5 * batchRows) / maxTokens) + 1;
  return slots * 4 * (13 * maxTokens + vocab);
}
