/**
 * @file Goes on from prompts with an `InferenceModel`: reuses what the cache holds of the prompt before, computes the rest
 * in pieces, and draws tokens in chunks, the next one submitted before the last is read. Nothing is read back but tokens.
 */
import { slice, type Tensor } from '../../gpu/gpu';
import { MOST_TOP, readDraw, resultWords, Sampler, type Draw, type SamplerSettings } from '../../nn/infer/sampler';
import { checkFinite, NotFiniteError } from '../not-finite';
import type { InferenceModel } from './inference-model';
import { DECODE_STEPS } from './inference-plan';

export interface GenerationSettings extends SamplerSettings {
  max_new_tokens: number;
  /** Likeliest tokens to report beside each one that is drawn, up to 8. */
  top?: number;
}

export interface PromptCost {
  prompt: number;
  /** Tokens of the prompt whose keys and values were in the cache. */
  cached: number;
  milliseconds: number;
}

export interface TextGeneratorOptions {
  /** End-of-sequence tokens; the model's own when left out. */
  stops?: readonly number[];
  /** Ids from here on are never drawn: an embedding may have more rows than its tokenizer has tokens. */
  validTokens?: number;
}

/** A submission should take about this long: far from any watchdog, and long beside what submitting costs. */
const CHUNK_MILLISECONDS = 40;
/** Draws of each sequence that the GPU keeps; they are read long before they are overwritten. */
const RING = 16 * DECODE_STEPS;

/** Draws that are on their way. */
interface Chunk {
  steps: number;
  began: number;
  /** [step][slot]; null where the sequence had ended before. */
  draws: Promise<(Draw | null)[][]>;
}

export class TextGenerator {
  /** The tokens whose keys and values are in the first slot's cache, from position 0 on. */
  private cached: number[] = [];
  /** One past the last position that has been submitted. */
  private reach = 0;
  private readonly samplers = new Map<number, Promise<Sampler>>();
  private readonly tokens: Tensor;
  private readonly results: Tensor;

  constructor(
    private readonly model: InferenceModel,
    private readonly options: TextGeneratorOptions = {},
    private readonly now: () => number = () => performance.now(),
  ) {
    const lines = RING * model.plan.slots;
    this.tokens = model.gpu.alloc('drawn tokens', 4 * lines);
    this.results = model.gpu.alloc('draws', 4 * lines * resultWords(MOST_TOP));
  }

  /** Tokens that the model keeps in view. */
  get context(): number {
    return this.model.plan.context;
  }

  /** End-of-sequence tokens. */
  get stops(): readonly number[] {
    return this.options.stops ?? this.model.config.eos_token_ids;
  }

  /**
   * Streams the tokens that follow the prompt, the end-of-sequence token included. Ends early when the signal aborts.
   * @param onPrompt told when the prompt has been computed, before the first token
   * @throws RangeError when the prompt is empty or longer than the context; NotFiniteError
   */
  async *generate(
    prompt: readonly number[],
    settings: GenerationSettings,
    signal: AbortSignal,
    onPrompt: (cost: PromptCost) => void = () => {},
  ): AsyncGenerator<Draw> {
    const began = this.now();
    const sampler = await this.sampler(settings);
    const cached = this.reusable(prompt);
    if (!(await this.prefill(prompt, cached, signal)) || settings.max_new_tokens < 1) return;
    sampler.start(0, { context: prompt, limit: settings.max_new_tokens });
    // Where several sequences were planned for, the others go along and draw nothing.
    const { slots } = this.model.plan;
    for (let slot = 1; slot < slots; slot++) sampler.stop(slot);
    const lengths = Array.from({ length: slots }, (_, slot) => (slot === 0 ? prompt.length : 1));
    let read = 0;
    let last = 0;
    try {
      for await (const [draw] of this.draws(sampler, lengths, settings, signal)) {
        if (signal.aborted) return;
        // No row ends by itself before its limit or a stop token, unless nothing could be drawn.
        if (!draw) throw new NotFiniteError();
        checkFinite(draw.logprob);
        if (read === 0) onPrompt({ prompt: prompt.length, cached, milliseconds: this.now() - began });
        // Every token but the last one drawn has been through the model.
        if (read++ > 0) this.cached.push(last);
        last = draw.id;
        yield { ...draw, top: draw.top.slice(0, settings.top ?? 0) };
        if (this.stops.includes(draw.id)) return;
      }
    } finally {
      // Once positions run past the context, the oldest keys are gone, and with them what a prompt begins with.
      if (this.reach > this.model.plan.context) this.cached.length = 0;
    }
  }

  /**
   * A completion in each slot, of one prompt that is computed once. Slot i draws from stream i of the settings' own.
   * @returns each slot's draws, its end-of-sequence token included where it came
   */
  async group(prompt: readonly number[], settings: GenerationSettings, signal?: AbortSignal): Promise<Draw[][]> {
    const { slots } = this.model.plan;
    const never = signal ?? new AbortController().signal;
    const sampler = await this.sampler(settings);
    const completions = Array.from({ length: slots }, (): Draw[] => []);
    if (!(await this.prefill(prompt, 0, never)) || settings.max_new_tokens < 1) return completions;
    const recorder = this.model.gpu.recorder();
    this.model.recordShare(recorder);
    recorder.submit();
    for (let slot = 0; slot < slots; slot++) sampler.start(slot, { context: prompt, limit: settings.max_new_tokens });
    const lengths = completions.map(() => prompt.length);
    await this.complete(sampler, lengths, settings, never, completions);
    return completions;
  }

  /**
   * A completion of each prompt, as many side by side as there are slots. Prompt i draws from stream i of the settings'
   * own, however many slots there are.
   * @returns each prompt's draws, its end-of-sequence token included where it came
   */
  async each(prompts: readonly (readonly number[])[], settings: GenerationSettings): Promise<Draw[][]> {
    const { slots } = this.model.plan;
    const never = new AbortController().signal;
    const sampler = await this.sampler(settings);
    const completions = prompts.map((): Draw[] => []);
    if (settings.max_new_tokens < 1) return completions;
    for (let first = 0; first < prompts.length; first += slots) {
      const together = prompts.slice(first, first + slots);
      for (const [slot, prompt] of together.entries()) {
        await this.prefill(prompt, 0, never, slot);
        sampler.start(slot, { stream: first + slot, context: prompt, limit: settings.max_new_tokens });
      }
      for (let slot = together.length; slot < slots; slot++) sampler.stop(slot);
      const recorder = this.model.gpu.recorder();
      this.model.recordHead(recorder, slots);
      recorder.submit();
      // Slots without a prompt go along, and draw nothing.
      const lengths = Array.from({ length: slots }, (_, slot) => together[slot]?.length ?? 1);
      await this.complete(sampler, lengths, settings, never, completions.slice(first, first + slots));
    }
    return completions;
  }

  /** Forgets the cached keys and values, because the weights have changed. */
  forget(): void {
    this.cached.length = 0;
  }

  /** Adds every slot's draws to its completion. */
  private async complete(
    sampler: Sampler,
    promptLengths: readonly number[],
    settings: GenerationSettings,
    signal: AbortSignal,
    completions: readonly Draw[][],
  ): Promise<void> {
    for await (const draws of this.draws(sampler, promptLengths, settings, signal)) {
      draws.forEach((draw, slot) => draw && completions[slot]!.push(draw));
      if (draws.every((draw) => draw === null)) break;
    }
    // The other slots' draws went past what the first slot's own tokens say.
    this.cached.length = 0;
  }

  /**
   * Draws for every slot, step by step, until the limit, or until whoever asks has enough.
   * @param promptLengths by slot
   */
  private async *draws(
    sampler: Sampler,
    promptLengths: readonly number[],
    settings: GenerationSettings,
    signal: AbortSignal,
  ): AsyncGenerator<(Draw | null)[]> {
    const mostSteps = this.model.gpu.isSoftware ? 1 : DECODE_STEPS;
    let submitted = 0;
    let steps = 1;
    const submit = (): Chunk | null => {
      const count = Math.min(steps, settings.max_new_tokens - submitted, RING - (submitted % RING));
      if (count <= 0 || signal.aborted) return null;
      const chunk = this.submit(sampler, promptLengths, submitted, count, settings);
      submitted += count;
      return chunk;
    };
    for (let waiting = submit(); waiting;) {
      const next = submit();
      for (const draws of await waiting.draws) yield draws;
      steps = nextSteps(mostSteps, waiting.steps, this.now() - waiting.began);
      waiting = next;
    }
  }

  private submit(
    sampler: Sampler,
    promptLengths: readonly number[],
    first: number,
    steps: number,
    settings: SamplerSettings,
  ): Chunk {
    const { model, tokens, results } = this;
    const { slots } = model.plan;
    const began = this.now();
    const recorder = model.gpu.recorder();
    // Draw 0 comes from the prompt's logits; draw d from feeding draw d − 1, at the position behind what was fed before.
    const skipped = first === 0 ? 1 : 0;
    const positions = promptLengths.map((length) => length + first - 1);
    const position = Math.max(...positions);
    this.reach = position + steps;
    model.placeSteps(
      positions.map((each) => each + skipped),
      steps - skipped,
    );
    for (let step = 0; step < steps; step++) {
      const draw = first + step;
      if (draw > 0) {
        const from = ((draw - 1) % RING) * slots;
        model.recordDecode(recorder, tokens, from, step - skipped, position + step);
      }
      const logits = model.buffers.work.logits;
      sampler.record(recorder, { logits, tokens, results }, settings, { rows: slots, at: (draw % RING) * slots });
    }
    const top = sampler.options.top;
    const at = (first % RING) * slots;
    const lines = steps * slots;
    const words = resultWords(top);
    const reads = Promise.all([
      recorder.read(slice(tokens, 4 * at, 4 * lines), 4 * lines),
      recorder.read(slice(results, 4 * words * at, 4 * words * lines), 4 * words * lines),
    ]);
    recorder.submit();
    const draws = reads.then(([ids, values]) => {
      const idWords = new Uint32Array(ids);
      const valueWords = new Uint32Array(values);
      return Array.from({ length: steps }, (_, step) =>
        Array.from({ length: slots }, (_, slot) => readDraw(idWords, valueWords, top, step * slots + slot)),
      );
    });
    // It is awaited in its turn; an early leaver doesn't.
    draws.catch(() => {});
    return { steps, began, draws };
  }

  /** How many of the prompt's tokens are in the cache; at least one must be computed, to have something to draw from. */
  private reusable(prompt: readonly number[]): number {
    const most = Math.min(this.cached.length, prompt.length - 1);
    let same = 0;
    while (same < most && this.cached[same] === prompt[same]) same++;
    return same;
  }

  /**
   * Computes a prompt. Without a slot, it is the first one's, and the logits after it are left in every row; with one, its
   * last row is kept for the head.
   * @returns whether it was finished and not aborted
   */
  private async prefill(
    prompt: readonly number[],
    first: number,
    signal: AbortSignal,
    slot?: number,
  ): Promise<boolean> {
    const { model } = this;
    const { context, prefillTokens, slots } = model.plan;
    if (prompt.length === 0) throw new RangeError('there is nothing to go on from: the prompt has no tokens');
    if (prompt.length > context) {
      throw new RangeError(`the prompt has ${prompt.length} tokens, more than the context of ${context}`);
    }
    this.cached.length = first;
    this.reach = prompt.length;
    for (let at = first; at < prompt.length; at += prefillTokens) {
      if (signal.aborted) return false;
      const piece = prompt.slice(at, at + prefillTokens);
      const recorder = model.gpu.recorder();
      model.recordPrefill(recorder, piece, at, slot);
      const isLast = at + piece.length === prompt.length;
      if (isLast && slot !== undefined) model.recordLast(recorder, piece.length - 1, slot);
      else if (isLast) model.recordLogits(recorder, piece.length - 1, slots, { repeat: true });
      recorder.submit();
      this.cached.push(...piece);
      // One piece at a time, so that stopping takes no longer than one.
      if (!isLast) await model.gpu.device.queue.onSubmittedWorkDone();
    }
    return true;
  }

  private sampler({ top = 0 }: GenerationSettings): Promise<Sampler> {
    const { gpu, config, plan } = this.model;
    const reported = top > 0 ? MOST_TOP : 0;
    let sampler = this.samplers.get(reported);
    if (!sampler) {
      const { stops } = this;
      const { validTokens } = this.options;
      const options = { vocab: config.vocab_size, validTokens, maxRows: plan.slots, stops, top: reported };
      this.samplers.set(reported, (sampler = Sampler.create(gpu, options)));
    }
    return sampler;
  }
}

/** More tokens a submission while one is quick, fewer when it is slow. */
function nextSteps(most: number, steps: number, milliseconds: number): number {
  const wanted = (steps * CHUNK_MILLISECONDS) / Math.max(milliseconds, 0.1);
  return Math.max(1, Math.min(most, 2 * steps, Math.floor(wanted)));
}
