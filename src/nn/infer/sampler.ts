/**
 * @file Draws the next token of several sequences from large vocabularies, wholly on the GPU: repetition penalty,
 * temperature, top-k, top-p, min-p in Transformers' order, then the Gumbel-max trick with a counter-based generator.
 * Two dispatches for greedy decoding or temperature alone, four with the rest.
 */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { f32, type Param, type Recorder } from '../../gpu/recorder';

export interface SamplerSettings {
  /** 0: the likeliest token, whatever the other settings are; of several, the first. */
  temperature: number;
  /** 0: all. Tokens as likely as the last one that is kept are kept too. */
  top_k: number;
  /** 1: all. A token is kept when those likelier than it have less than this share of what top-k kept. */
  top_p: number;
  /** Tokens less likely than this share of the likeliest one's probability are not drawn; 0: all. */
  min_p?: number;
  /** Transformers' rule: logits of tokens seen before are divided by it, or multiplied when negative; 1: off. */
  repetition_penalty?: number;
  seed: number;
  /** Selects the random numbers together with the seed: a training step, an evaluation. */
  stream: number;
}

export interface SamplerOptions {
  /** Logits per row. */
  vocab: number;
  /** Ids from here on are never drawn: a model's embedding may have more rows than its tokenizer has tokens. */
  validTokens?: number | undefined;
  maxRows: number;
  /** End-of-sequence tokens, at most 8. */
  stops: readonly number[];
  /** How many of the likeliest tokens to report beside each one that is drawn, at most 8. */
  top: number;
}

export interface SamplerTensors {
  /** f32 [rows, vocab]; overwritten with the penalised logits. */
  logits: Tensor;
  /** u32; [at + row] becomes the drawn token, NO_TOKEN for a row that was done before. */
  tokens: Tensor;
  /** u32 [.., resultWords(top)], a line for each of `tokens`: see `readDraw`. */
  results: Tensor;
}

/** The value in `tokens` for a row that had already finished. */
export const NO_TOKEN = 0xffffffff;
export const MOST_TOP = 8;
const MOST_STOPS = 16;
/** Larger than the gap (shaders/infer/sample/sampling.wesl) of any token with a finite logit. */
const NO_GAP = 3e38;

export interface Draw {
  id: number;
  /** The log-probability under the whole distribution at the temperature (1 where that is 0), after the penalty. */
  logprob: number;
  /** The likeliest tokens, the likeliest first. */
  top: { id: number; logprob: number }[];
}

/** u32 words of a line of `results`. */
export const resultWords = (top: number): number => 1 + 2 * top;

/** Line `i` of the buffers that the sampler wrote, or null where nothing was drawn. */
export function readDraw(tokens: Uint32Array, results: Uint32Array, top: number, i: number): Draw | null {
  const id = tokens[i]!;
  if (id === NO_TOKEN) return null;
  const words = results.subarray(i * resultWords(top), (i + 1) * resultWords(top));
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  return {
    id,
    logprob: floats[0]!,
    top: Array.from({ length: top }, (_, rank) => ({ id: words[1 + 2 * rank]!, logprob: floats[2 + 2 * rank]! })),
  };
}

/** Tokens per workgroup. This and the sizes below are those of shaders/infer/sample/sampling.wesl. */
const BLOCK = 1024;
/** Tokens per workgroup of the pass that fills the bins; its counts must fit 16 bits. */
const BIN_BLOCK = 4096;
const BINS = 2048;
const WORK_WORDS = 16 + 2 * 8192;
/** The same number as in shaders/infer/sample/draw_memory.wesl. */
const BUCKETS = 128;
const ROW_WORDS = 4;

export class Sampler {
  private constructor(
    private readonly gpu: Gpu,
    readonly options: SamplerOptions,
    private readonly threads: number,
    /** Copies of each sum of the last pass, so that fewer threads wait for each other. */
    private readonly copies: number,
    private readonly kernels: Record<'blocks' | 'bins' | 'gather' | 'draw' | 'drawListed', Kernel>,
    private readonly buffers: Record<'rows' | 'seen' | 'work' | 'blocks' | 'bins', Tensor>,
  ) {}

  /** @throws RangeError for more stops or likeliest tokens than there is room for */
  static async create(gpu: Gpu, options: SamplerOptions): Promise<Sampler> {
    const { top, stops } = options;
    if (!(top >= 0 && top <= MOST_TOP)) throw new RangeError(`at most ${MOST_TOP} likeliest tokens, not ${top}`);
    if (stops.length > MOST_STOPS) {
      throw new RangeError(`at most ${MOST_STOPS} end-of-sequence tokens, not ${stops.length}`);
    }
    const threads = gpu.isSoftware ? 32 : 256;
    const { maxComputeInvocationsPerWorkgroup: limit } = gpu.device.limits;
    const pass = { constants: { THREADS: threads, TOKENS: BLOCK } };
    // Candidates are compared with each other, which is faster with more threads.
    const wide = gpu.device.limits.maxComputeWorkgroupStorageSize >= 32768 && limit >= 512 ? 512 : 256;
    const copies = wide === 512 && !gpu.isSoftware ? 8 : 1;
    const draw = { THREADS: gpu.isSoftware ? 32 : wide, TOP: top, COPIES: copies };
    const [blocks, bins, gather, drawn, drawListed] = await Promise.all([
      gpu.kernel('infer/sample/sample_blocks', pass),
      gpu.kernel('infer/sample/sample_bins', { constants: { THREADS: threads, TOKENS: BIN_BLOCK } }),
      gpu.kernel('infer/sample/sample_gather', pass),
      gpu.kernel('infer/sample/sample_draw', { constants: draw, conditions: { LISTS: false } }),
      gpu.kernel('infer/sample/sample_draw', { constants: draw, conditions: { LISTS: true } }),
    ]);
    const bytes = samplerBuffers(options);
    const buffers = await gpu.allocating(() => ({
      rows: gpu.alloc('sampled rows', bytes.rows),
      seen: gpu.alloc('seen tokens', bytes.seen),
      work: gpu.alloc('sampler work', bytes.work),
      blocks: gpu.alloc('sampler blocks', bytes.blocks),
      bins: gpu.alloc('sampler bins', bytes.bins),
    }));
    return new Sampler(gpu, options, threads, copies, { blocks, bins, gather, draw: drawn, drawListed }, buffers);
  }

  /** Bytes that a sampler allocates. */
  static bytes(options: Pick<SamplerOptions, 'vocab' | 'maxRows'>): number {
    return Object.values(samplerBuffers(options)).reduce((sum, bytes) => sum + bytes, 0);
  }

  /**
   * Sets up a row for a new sequence; not while recorded work that uses it waits for its submission.
   * @param stream keys the row's random numbers, so that it draws the same whatever else is in the batch
   * @param context the tokens before, for the repetition penalty; not needed where that is off
   * @param drawn tokens of the answer before this one: going on after n draws is as if there had been no break
   * @param limit draws, `drawn` included, after which the row is done
   */
  start(
    row: number,
    {
      stream = row,
      drawn = 0,
      limit = NO_TOKEN,
      context = [],
    }: {
      stream?: number;
      drawn?: number;
      limit?: number;
      context?: Iterable<number>;
    } = {},
  ): void {
    const words = Math.ceil(this.options.vocab / 32);
    const seen = new Uint32Array(words);
    for (const id of context) if (id < this.options.vocab) seen[id >>> 5]! |= 1 << (id & 31);
    this.gpu.write(this.buffers.seen, seen, row * words * 4);
    this.gpu.write(this.buffers.rows, Uint32Array.of(stream, drawn, drawn < limit ? 0 : 1, limit), row * ROW_WORDS * 4);
  }

  /** Takes a row out: nothing is drawn for it until it is started again. */
  stop(row: number): void {
    this.gpu.write(this.buffers.rows, Uint32Array.of(0, 0, 1, 0), row * ROW_WORDS * 4);
  }

  /**
   * Draws a token for each of the first `rows` rows that isn't done.
   * @param at index of row 0 in `tokens` and `results`
   */
  record(
    recorder: Recorder,
    { logits, tokens, results }: SamplerTensors,
    settings: SamplerSettings,
    { rows, at = 0 }: { rows: number; at?: number },
  ): void {
    const { kernels, buffers: b, threads, copies } = this;
    const { vocab, maxRows, top, stops } = this.options;
    if (rows > maxRows) throw new RangeError(`${rows} rows; planned for ${maxRows}`);
    const valid = Math.min(vocab, this.options.validTokens ?? vocab);
    const { temperature, top_k, top_p, min_p = 0, repetition_penalty = 1 } = settings;
    const isGreedy = temperature === 0;
    const inverse = f32(isGreedy ? 1 : 1 / temperature);
    const isFiltered = !isGreedy && ((top_k > 0 && top_k < valid) || top_p < 1 || min_p > 0);
    const key = [settings.seed >>> 0, settings.stream >>> 0];
    // With filters, the draw waits until it is known which tokens are kept.
    const competition = isFiltered ? 0 : isGreedy ? 1 : 2;
    const blocks = Math.ceil(valid / BLOCK);
    const filters: Param[] = isFiltered
      ? [top_k, f32(top_p), f32(min_p > 0 ? -Math.log(Math.min(1, min_p)) : NO_GAP)]
      : [0, f32(1), f32(NO_GAP)];
    recorder.dispatch(
      kernels.blocks,
      [logits, b.rows, b.seen, b.work, b.blocks],
      [vocab, valid, ...key, inverse, f32(repetition_penalty), competition],
      [blocks, rows],
    );
    const isListed = isFiltered || top > 0;
    if (isListed) {
      recorder.dispatch(
        kernels.bins,
        [logits, b.rows, b.work, b.bins],
        [vocab, valid, inverse, BINS],
        [Math.ceil(valid / BIN_BLOCK), rows],
      );
      recorder.dispatch(
        kernels.gather,
        [logits, b.rows, b.bins, b.work, b.blocks],
        [vocab, valid, ...key, inverse, ...filters, top, isFiltered ? 1 : 0, BINS / threads],
        [blocks, rows],
      );
    }
    const bindings = [logits, b.blocks, b.rows, b.work, tokens, results, b.seen];
    if (isListed) bindings.push(b.bins);
    const ends = Array.from({ length: MOST_STOPS }, (_, i) => stops[i] ?? NO_TOKEN);
    recorder.dispatch(
      isListed ? kernels.drawListed : kernels.draw,
      bindings,
      [
        ...[...ends, vocab, valid, ...key, inverse, isFiltered ? 1 : 0, ...filters],
        ...[blocks, at, 32, top, 3 * BINS, BUCKETS * copies, 2, 4],
      ],
      [rows],
    );
  }

  free(): void {
    this.gpu.free(...Object.values(this.buffers));
  }
}

function samplerBuffers({ vocab, maxRows }: Pick<SamplerOptions, 'vocab' | 'maxRows'>) {
  const words = {
    rows: ROW_WORDS,
    seen: Math.ceil(vocab / 32),
    work: WORK_WORDS,
    blocks: 4 * Math.ceil(vocab / BLOCK),
    bins: 3 * BINS,
  };
  return Object.fromEntries(Object.entries(words).map(([name, count]) => [name, 4 * count * maxRows])) as typeof words;
}
