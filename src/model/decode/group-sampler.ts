/**
 * @file Samples completions on the GPU: one prefill of the prompts, then shaders/decode/decode.wesl, a chunk of tokens a
 * submission, over the rows that still run. Nothing is read back until all rows are done.
 */
import { f32, grid, type Recorder } from '../../gpu/recorder';
import type { Gpu, GpuTraits, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { slice } from '../../gpu/tensor';
import { ropeFrequencies, ropeTable } from '../../nn/rope';
import { buildBatch } from '../train/batch';
import { BatchSlots } from '../train/batch-slot';
import { DecodeLayout, NO_TOKEN, type GroupSamplerPlan } from './decode-layout';
import type { Decoder } from '../train/decoder';
import type { ParameterLayout, ParameterViews } from '../train/parameters';

export interface SamplingSettings {
  /** 0 = the most likely token. */
  temperature: number;
  /** 0 = off. */
  top_k: number;
  /** 1 = off. */
  top_p: number;
  max_new_tokens: number;
  seed: number;
  /** Selects the random numbers together with the seed: a training step, an evaluation. */
  stream: number;
}

export interface Sample {
  /** The end-of-sequence token included, unless truncated. */
  ids: number[];
  /** The log-probability of each id under the whole distribution at the sampling temperature (1 where that is 0). */
  logprobs: number[];
  /** Stopped by the length limit. */
  truncated: boolean;
}

/** Tokens that a submission generates: few enough to stay far from any GPU watchdog, many enough to hide its cost. */
const CHUNK = 16;
const ROW_WORDS = 8;

/** The rows that are sampled in one turn. */
interface RowsRequest {
  prompts: readonly (readonly number[])[];
  /** Of each prompt. */
  samples: number;
  /** The random stream of the first row; the others have those after it. */
  firstStream: number;
  /** New tokens of a row, at most. */
  limit: number;
}

export class GroupSampler {
  private packedFor: ParameterViews | null = null;

  private constructor(
    private readonly gpu: Gpu,
    readonly plan: GroupSamplerPlan,
    private readonly decoder: Decoder,
    private readonly layout: DecodeLayout,
    private readonly kernels: { pack: Kernel; compact: Kernel; decode: Kernel },
    private readonly slots: BatchSlots,
    private readonly buffers: Record<'packed' | 'prompt' | 'cache' | 'logits' | 'rows' | 'out' | 'indirect', Tensor>,
  ) {}

  /** @throws RangeError when the model is too wide for the one-dispatch decoder on this GPU */
  static async create(
    gpu: Gpu,
    decoder: Decoder,
    parameters: ParameterLayout,
    plan: GroupSamplerPlan,
  ): Promise<GroupSampler> {
    const { config } = decoder;
    const layout = new DecodeLayout(gpu, config, parameters, plan);
    const [pack, compact, decode] = await Promise.all([
      gpu.kernel('decode/pack_weight'),
      gpu.kernel('decode/compact_rows', { constants: { ROWS_PER_GROUP: layout.rowsPerGroup } }),
      gpu.kernel('decode/decode', {
        constants: layout.constants,
        conditions: { QKV_BIAS: config.qkv_bias, QK_NORM: config.qk_norm },
      }),
    ]);
    const buffers = await gpu.allocating(() => {
      const bytes = layout.bytes();
      return {
        packed: gpu.alloc('packed weights', bytes.packed),
        prompt: gpu.alloc('prompt cache', bytes.prompt),
        cache: gpu.alloc('completion cache', bytes.cache),
        logits: gpu.alloc('sampling logits', bytes.logits),
        rows: gpu.alloc('rows', bytes.rows),
        out: gpu.alloc('samples', bytes.out),
        indirect: gpu.alloc('decode workgroups', 16, GPUBufferUsage.INDIRECT),
      };
    });
    const { maxTokens } = decoder.plan;
    const slots = new BatchSlots(gpu, { maxTokens, maxRows: maxTokens, vocab: config.vocab_size });
    const table = ropeTable(layout.contextLength, ropeFrequencies(config));
    gpu.write(buffers.packed, table, layout.ropeOffset * 16);
    return new GroupSampler(gpu, plan, decoder, layout, { pack, compact, decode }, slots, buffers);
  }

  /** Bytes of the buffers that a generator with this plan takes. */
  static bytes(gpu: GpuTraits, config: Decoder['config'], parameters: ParameterLayout, plan: GroupSamplerPlan): number {
    const bytes = new DecodeLayout(gpu, config, parameters, plan).bytes();
    return Object.values(bytes).reduce((sum, size) => sum + size, 0);
  }

  /** Must be called after the parameters have changed. */
  parametersChanged(): void {
    this.packedFor = null;
  }

  /**
   * Samples `samples` completions of each prompt; result [prompt][sample].
   * A row's draws depend on the seed, the stream, its prompt's place and its sample's alone.
   * @param prompts token ids, each at least one long
   * @throws RangeError for a prompt or length beyond the plan
   */
  async generate(
    params: ParameterViews,
    prompts: readonly (readonly number[])[],
    samples: number,
    settings: SamplingSettings,
    options: { recorder?: Recorder; signal?: AbortSignal } = {},
  ): Promise<Sample[][]> {
    const results: Sample[][] = [];
    for (let first = 0; first < prompts.length;) {
      const count = this.turn(prompts, first, samples);
      const rows = await this.sampleTurn(params, prompts.slice(first, first + count), samples, settings, {
        ...options,
        firstStream: first * samples,
      });
      for (let i = 0; i < count; i++) results.push(rows.slice(i * samples, (i + 1) * samples));
      first += count;
      if (options.signal?.aborted) break;
    }
    return results;
  }

  /** Samples one completion, handing on each chunk of tokens as it comes; ends early when the signal aborts. */
  async *stream(
    params: ParameterViews,
    prompt: readonly number[],
    settings: SamplingSettings,
    signal: AbortSignal,
  ): AsyncGenerator<{ id: number; logprob: number }> {
    const start = this.gpu.recorder();
    this.begin(start, params, { prompts: [prompt], samples: 1, firstStream: 0, limit: settings.max_new_tokens });
    start.submit();
    for (let sent = 0; sent < settings.max_new_tokens && !signal.aborted;) {
      const recorder = this.gpu.recorder();
      this.recordChunk(recorder, 1, 4, settings);
      const read = this.readRows(recorder, 1);
      recorder.submit();
      const [row] = await read;
      const { ids, logprobs, done } = row!;
      for (; sent < ids.length; sent++) yield { id: ids[sent]!, logprob: logprobs[sent]! };
      if (done) return;
    }
  }

  /** Prompts from `first` on that fit one turn. */
  private turn(prompts: readonly (readonly number[])[], first: number, samples: number): number {
    let tokens = 0;
    let count = 0;
    while (first + count < prompts.length) {
      tokens += prompts[first + count]!.length;
      if (tokens > this.plan.maxPromptTokens || (count + 1) * samples > this.plan.maxRows) break;
      count++;
    }
    if (count === 0) {
      throw new RangeError(
        `${samples} samples of a prompt of ${prompts[first]!.length} tokens; planned for ${this.plan.maxRows} rows and ${this.plan.maxPromptTokens} prompt tokens`,
      );
    }
    return count;
  }

  private async sampleTurn(
    params: ParameterViews,
    prompts: readonly (readonly number[])[],
    samples: number,
    settings: SamplingSettings,
    {
      recorder = this.gpu.recorder(),
      signal,
      firstStream,
    }: { recorder?: Recorder; signal?: AbortSignal; firstStream: number },
  ): Promise<Sample[]> {
    const rows = prompts.length * samples;
    this.begin(recorder, params, { prompts, samples, firstStream, limit: settings.max_new_tokens });
    recorder.phase('decode');
    for (let token = 0; token < settings.max_new_tokens && !signal?.aborted; token += CHUNK) {
      this.recordChunk(recorder, rows, CHUNK, settings);
      recorder.submit();
    }
    const read = this.readRows(recorder, rows);
    recorder.submit();
    return (await read).map(({ ids, logprobs, stopped }) => ({ ids, logprobs, truncated: !stopped }));
  }

  /** Packs the weights if they changed, prefills the prompts and sets up the rows. */
  private begin(
    recorder: Recorder,
    params: ParameterViews,
    { prompts, samples, firstStream, limit }: RowsRequest,
  ): void {
    const { maxPromptLength, maxNewTokens } = this.plan;
    const longest = Math.max(...prompts.map((prompt) => prompt.length));
    if (longest > maxPromptLength)
      throw new RangeError(`a prompt of ${longest} tokens; at most ${maxPromptLength} fit`);
    if (prompts.some((prompt) => prompt.length === 0)) throw new RangeError('a prompt has at least one token');
    if (limit > maxNewTokens) {
      throw new RangeError(`${limit} new tokens were asked for; ${maxNewTokens} are planned`);
    }
    if (this.packedFor !== params) {
      recorder.phase('pack weights');
      this.recordPacking(recorder, params);
      this.packedFor = params;
    }
    recorder.phase('prefill');
    this.prefill(recorder, params, prompts);
    const words = new Uint32Array(prompts.length * samples * ROW_WORDS);
    let start = 0;
    prompts.forEach((prompt, i) => {
      for (let sample = 0; sample < samples; sample++) {
        const row = i * samples + sample;
        const stream = firstStream + row;
        const entry = [start, prompt.length - 1, prompt.at(-1)!, 0, 0, 0, stream, limit];
        words.set(entry, row * ROW_WORDS);
      }
      start += prompt.length - 1;
    });
    this.gpu.write(this.buffers.rows, words);
  }

  /** The last token of each prompt is left to the decode kernel, which makes all logits. */
  private prefill(recorder: Recorder, params: ParameterViews, prompts: readonly (readonly number[])[]): void {
    const { decoder, buffers, layout } = this;
    const limits = {
      ...decoder.plan,
      maxRows: decoder.plan.maxTokens,
      tile: decoder.tile,
      vocab: decoder.config.vocab_size,
    };
    // A sequence's own last token is never fed (see buildBatch), which here is just what is wanted.
    const groups = prompts.map((prompt) => ({ prompt: [], completions: [prompt] }));
    const { microBatches } = buildBatch(groups, limits);
    let first = 0;
    for (const microBatch of microBatches) {
      const [slot] = this.slots.fill([microBatch]);
      if (slot!.tokens === 0) continue;
      const offset = first;
      decoder.forwardLayers(recorder, params, slot!, (layer, qkv) => {
        const bytes = slot!.tokens * layout.qkvSize * 4;
        const at = (layer * layout.promptCapacity + offset) * layout.qkvSize * 4;
        recorder.copy(qkv, slice(buffers.prompt, at, bytes), bytes);
      });
      first += slot!.tokens;
      // The slot is refilled for the next micro-batch, so this one must be on its way.
      if (microBatches.length > 1) recorder.submit();
    }
  }

  private recordPacking(recorder: Recorder, params: ParameterViews): void {
    const { pack } = this.kernels;
    for (const { weight, outputs, inputs, base } of this.layout.matrices(params)) {
      const vectors = (outputs * inputs) / 4;
      recorder.dispatch(
        pack,
        [weight, this.buffers.packed],
        [outputs, inputs / 4, base],
        grid(Math.ceil(vectors / 256)),
      );
    }
  }

  private recordChunk(recorder: Recorder, rows: number, tokens: number, settings: SamplingSettings): void {
    const { buffers: b, kernels, layout } = this;
    const eos = this.decoder.config.eos_token_ids;
    recorder.dispatch(kernels.compact, [b.rows, b.indirect], [rows], [1]);
    recorder.dispatchIndirect(
      kernels.decode,
      [this.packedFor!.flat, b.packed, b.prompt, b.cache, b.logits, b.rows, b.out],
      [
        tokens,
        layout.promptCapacity,
        settings.seed >>> 0,
        settings.stream >>> 0,
        f32(settings.temperature),
        settings.top_k,
        f32(settings.top_p),
        eos[0] ?? NO_TOKEN,
        eos[1] ?? NO_TOKEN,
        rows,
        this.decoder.config.num_hidden_layers,
        2,
        32,
      ],
      b.indirect,
    );
  }

  private async readRows(recorder: Recorder, rows: number) {
    const capacity = this.plan.maxNewTokens;
    const reads = [
      recorder.read(this.buffers.rows, rows * ROW_WORDS * 4),
      recorder.read(this.buffers.out, rows * 2 * capacity * 4),
    ] as const;
    const [state, out] = await Promise.all(reads);
    const words = new Uint32Array(state);
    const ids = new Uint32Array(out);
    const logprobs = new Float32Array(out);
    const eos = this.decoder.config.eos_token_ids;
    return Array.from({ length: rows }, (_, row) => {
      const length = words[row * ROW_WORDS + 3]!;
      const done = words[row * ROW_WORDS + 4] === 1;
      const at = row * 2 * capacity;
      const own = Array.from(ids.subarray(at, at + length));
      return {
        ids: own,
        logprobs: Array.from(logprobs.subarray(at + capacity, at + capacity + length)),
        done,
        stopped: done && eos.includes(own.at(-1)!),
      };
    });
  }
}
