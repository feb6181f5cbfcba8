/** @file A model small enough for the one-dispatch decoder as a ChatModel: one answer at a time, streamed as it is sampled. */
import { readWeights, tokenizerOf, type Model, type RecommendedSampling } from '../../formats/model';
import type { TextTokenizer } from '../../formats/text/tokenizer';
import type { Gpu } from '../../gpu/gpu';
import { Decoder } from '../../model/train/decoder';
import { checkFinite } from '../../model/not-finite';
import { GroupSampler } from '../../model/decode/group-sampler';
import { allocateParameters, flatten, parameterLayout, type ParameterViews } from '../../model/train/parameters';
import { TokenTexts } from '../../rl/token-texts';
import type { GenerateRequest, ChatModel, ChatToken } from '../../runs/chat-model';

/** Together they fit the smallest workgroup memory that WebGPU allows, for a model of the embedded one's size. */
const MAX_PROMPT_TOKENS = 96;
const MAX_NEW_TOKENS = 160;

export class TinyChatModel implements ChatModel {
  readonly readsLanguage = false;
  private readonly texts: TokenTexts;

  private constructor(
    private readonly gpu: Gpu,
    private readonly model: Pick<Model, 'name' | 'config' | 'sampling'>,
    private readonly tokenizer: TextTokenizer,
    private readonly params: ParameterViews,
    private readonly sampler: GroupSampler,
  ) {
    this.texts = new TokenTexts(tokenizer);
  }

  /** Takes over the device. @throws RangeError or OutOfMemoryError when the model doesn't fit it */
  static async load(gpu: Gpu, model: Model, signal?: AbortSignal): Promise<TinyChatModel> {
    const { config } = model;
    const weights = await readWeights(model, undefined, signal);
    const layout = parameterLayout(config);
    const maxPositions = MAX_PROMPT_TOKENS + MAX_NEW_TOKENS;
    const plan = { maxTokens: MAX_PROMPT_TOKENS, maxRows: MAX_PROMPT_TOKENS, maxPositions, training: false };
    const decoder = await Decoder.create(gpu, config, plan);
    const params = await gpu.allocating(() => allocateParameters(gpu, 'parameters', layout, config.num_hidden_layers));
    gpu.write(params.flat, flatten(layout, config.num_hidden_layers, weights));
    const sampler = await GroupSampler.create(gpu, decoder, layout, {
      maxRows: 1,
      maxPromptTokens: MAX_PROMPT_TOKENS,
      maxPromptLength: MAX_PROMPT_TOKENS,
      maxNewTokens: MAX_NEW_TOKENS,
    });
    return new TinyChatModel(gpu, model, tokenizerOf(model), params, sampler);
  }

  get name(): string {
    return this.model.name;
  }

  get sampling(): RecommendedSampling {
    return this.model.sampling;
  }

  /** @throws RangeError when the prompt is too long for the model's window here */
  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<ChatToken> {
    const { tokenizer, model } = this;
    const question = tokenizer.applyChatTemplate(request.messages, { add_generation_prompt: true });
    const prompt = tokenizer.encode(question + (request.prefix ?? ''));
    if (prompt.length > MAX_PROMPT_TOKENS) {
      throw new RangeError(
        `The prompt has ${prompt.length} tokens; this model takes up to ${MAX_PROMPT_TOKENS} here. Shorten it.`,
      );
    }
    const { temperature, top_k, top_p, seed, max_tokens } = request;
    const max_new_tokens = Math.min(max_tokens, MAX_NEW_TOKENS);
    const settings = { temperature, top_k, top_p, seed, max_new_tokens, stream: 0 };
    for await (const { id, logprob } of this.sampler.stream(this.params, prompt, settings, signal)) {
      checkFinite(logprob);
      if (model.config.eos_token_ids.includes(id)) return;
      yield { text: this.texts.one(id), id, logprob };
    }
  }

  close(): void {
    this.gpu.destroy();
  }
}
