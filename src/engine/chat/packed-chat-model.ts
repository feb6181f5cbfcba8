/** @file A model on packed weights as a ChatModel: conversations of several turns, streamed as they are sampled. */
import { formatMegabytes } from '../../base/bytes';
import { TextStream } from '../../formats/text/text-stream';
import { renderChat } from '../../formats/text/chat-template';
import type { TextTokenizer } from '../../formats/text/tokenizer';
import { tokenizerOf, type Model, type RecommendedSampling } from '../../formats/model';
import { OutOfMemoryError, type Gpu } from '../../gpu/gpu';
import { InferenceModel } from '../../model/infer/inference-model';
import { inferencePlan, type InferencePlan } from '../../model/infer/inference-plan';
import { adaptedTensors } from '../../model/lora/lora-merge';
import { TextGenerator } from '../../model/infer/text-generator';
import type { Draw } from '../../nn/infer/sampler';
import type { Alternative, ChatModel, ChatToken, GenerateRequest, Message } from '../../runs/chat-model';
import type { LoadOptions, LoadProgress } from '../load-options';

/** The share of the context that a prompt leaves to its answer when the answer may be longer than that. */
const ANSWER_SHARE = 1 / 4;

export interface PackedChatModelParts {
  name: string;
  sampling: RecommendedSampling;
  tokenizer: TextTokenizer;
  generator: TextGenerator;
  /** What is unusual about the model, as sentences for the user. */
  notices?: readonly string[];
  /** Called before each answer: makes the generator's weights those that should answer. */
  prepare?: () => void;
  /** Gives back what the model holds. */
  close: () => void;
}

export class PackedChatModel implements ChatModel {
  readonly readsLanguage = true;
  /** The last answer, to continue from token by token: its text alone may be cut into other tokens. */
  private last: { rendered: string; text: string; ids: number[]; texts: TextStream } | null = null;

  /** What is unusual about the model, said with its first answer. */
  private readonly unsaid: string[];

  constructor(private readonly parts: PackedChatModelParts) {
    this.unsaid = [...(parts.notices ?? [])];
  }

  /**
   * Takes over the device and streams the weights onto it.
   * @throws OutOfMemoryError with the number of bytes when the model doesn't fit; AbortError
   */
  static async load(
    gpu: Gpu,
    model: Model,
    options: Omit<LoadOptions, 'adapter'> = {},
    onProgress: (progress: LoadProgress) => void = () => {},
    signal?: AbortSignal,
  ): Promise<PackedChatModel> {
    const tokenizer = tokenizerOf(model);
    const plan = inferencePlan(model.config, (name) => model.tensors.get(name)!.type, {
      ...options,
      ...(model.adapter && { adapted: adaptedTensors(model.adapter) }),
    });
    const report = (bytes: number, total: number) => onProgress({ bytes, total });
    const inference = await InferenceModel.load(gpu, model, plan, report, signal).catch((error: unknown) => {
      throw error instanceof OutOfMemoryError ? doesNotFit(model.name, plan, error) : error;
    });
    const generator = new TextGenerator(inference, { validTokens: tokenizer.vocabularySize });
    const { name, sampling, notices } = model;
    return new PackedChatModel({ name, sampling, notices, tokenizer, generator, close: () => gpu.destroy() });
  }

  get name(): string {
    return this.parts.name;
  }

  get sampling(): RecommendedSampling {
    return this.parts.sampling;
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<ChatToken> {
    const { generator } = this.parts;
    this.parts.prepare?.();
    const { prompt, answered, rendered, opening, texts, notice } = this.encode(request);
    const ids = [...prompt, ...answered];
    const settings = {
      temperature: request.temperature,
      top_k: request.top_k,
      top_p: request.top_p,
      min_p: request.min_p ?? 0,
      repetition_penalty: request.repetition_penalty ?? 1,
      seed: request.seed,
      stream: 0,
      top: request.top_logprobs ?? 0,
      max_new_tokens: request.max_tokens,
    };
    // Comes before the model's own first token: the opening of its think block, which the template already wrote.
    const said = [...new Set([...this.unsaid.splice(0), notice])].filter(Boolean).join(' ');
    let first: Partial<ChatToken> & { text: string } = { text: opening, ...(said && { notice: said }) };
    let slid = false;
    let count = 0;
    const answer = { rendered, text: request.prefix ?? '', ids: answered, texts };
    this.last = answer;
    const onPrompt = (cost: { prompt: number; cached: number; milliseconds: number }) => {
      const { prompt, cached, milliseconds } = cost;
      first = { ...first, context: { prompt, cached, length: generator.context, prefill_ms: milliseconds } };
    };
    for await (const drawn of generator.generate(ids, settings, signal, onPrompt)) {
      count++;
      if (generator.stops.includes(drawn.id)) {
        yield { ...first, text: first.text + texts.end(), finish: 'stop' };
        return;
      }
      const token = this.token(drawn, texts.push(drawn.id));
      token.text = first.text + token.text;
      answer.text += token.text;
      answer.ids.push(drawn.id);
      if (!slid && ids.length + count > generator.context) {
        slid = true;
        token.notice = `The context of ${generator.context} tokens is full: the beginning of the conversation is being dropped.`;
      }
      yield { ...first, ...token };
      first = { text: '' };
    }
    if (!signal.aborted) yield { ...first, text: first.text + texts.end(), finish: 'length' };
  }

  close(): void {
    this.parts.close();
  }

  private token(drawn: Draw, text: string): ChatToken {
    const { tokenizer } = this.parts;
    const token: ChatToken = { text, id: drawn.id, logprob: drawn.logprob };
    if (drawn.top.length > 0) {
      token.top = drawn.top.map(({ id, logprob }): Alternative => ({ id, logprob, text: tokenizer.tokenText(id) }));
    }
    return token;
  }

  /** The prompt's tokens; when they are too many, without the conversation's oldest turns. */
  private encode(request: GenerateRequest): Encoded {
    const { context } = this.parts.generator;
    const most = context - Math.min(request.max_tokens, Math.floor(context * ANSWER_SHARE));
    let messages = request.messages;
    for (let dropped = 0; ; dropped++) {
      const encoded = this.render(messages, request.prefix ?? '');
      const length = encoded.prompt.length + encoded.answered.length;
      if (length <= most) {
        const which = dropped === 1 ? 'oldest message was' : `${dropped} oldest messages were`;
        const shortened =
          dropped > 0 ? `The conversation is longer than the context of ${context} tokens: its ${which} left out.` : '';
        return { ...encoded, notice: [encoded.notice, shortened].filter(Boolean).join(' ') };
      }
      const shorter = withoutOldest(messages);
      if (!shorter) {
        throw new RangeError(
          `The message has ${length} tokens; with its answer it must fit a context of ${context}. Shorten it or open the model with a longer context.`,
        );
      }
      messages = shorter;
    }
  }

  private render(messages: Message[], prefix: string): Encoded {
    const { tokenizer } = this.parts;
    const { text: rendered, notice } = renderChat(tokenizer, messages);
    const opening = /<think>\s*$/.exec(rendered)?.[0] ?? '';
    const { last } = this;
    if (prefix && last?.rendered === rendered && last.text === prefix) {
      const answered = last.ids;
      return { prompt: tokenizer.encode(rendered), answered, rendered, opening: '', texts: last.texts, notice };
    }
    const texts = new TextStream(tokenizer);
    if (!prefix) return { prompt: tokenizer.encode(rendered), answered: [], rendered, opening, texts, notice };
    // The prefix is the text as it was streamed, which began with what the template ends in.
    const rest = opening && prefix.startsWith(opening) ? prefix.slice(opening.length) : prefix;
    return { prompt: tokenizer.encode(rendered + rest), answered: [], rendered, opening: '', texts, notice };
  }
}

interface Encoded {
  prompt: number[];
  /** The tokens of the answer so far, where they are known as they were drawn. */
  answered: number[];
  /** The conversation as the model's template writes it. */
  rendered: string;
  /** What the template has begun of the answer: the opening of its thoughts. */
  opening: string;
  texts: TextStream;
  /** What the user should know about how the conversation was written; empty where there is nothing. */
  notice: string;
}

function doesNotFit(name: string, { bytes, context }: InferencePlan, cause: Error): OutOfMemoryError {
  const total = bytes.weights + bytes.cache + bytes.work;
  return new OutOfMemoryError(
    `${name} needs ${formatMegabytes(total)} of GPU memory (weights ${formatMegabytes(bytes.weights)}, a context of ${context} tokens ${formatMegabytes(bytes.cache)}, work ${formatMegabytes(bytes.work)}), and this GPU does not give it: choose a smaller quantisation or context. (${cause.message})`,
    { cause },
  );
}

/** Without the first message that is not the system's, and what answers it; null when only the last question is left. */
function withoutOldest(messages: Message[]): Message[] | null {
  const at = messages.findIndex(({ role }) => role !== 'system');
  if (at < 0 || at === messages.length - 1) return null;
  const shorter = [...messages.slice(0, at), ...messages.slice(at + 1)];
  return shorter[at]?.role === 'assistant' && shorter.length > at + 1 ? withoutOldest(shorter) : shorter;
}
