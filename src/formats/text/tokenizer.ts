/**
 * @file Text to token ids and back, and chat templates: Hugging Face's tokenizers and Jinja in plain JavaScript behind
 * the few calls that the engine needs.
 */
import { reasonOf } from '../../base/errors';
import { Tokenizer } from '@huggingface/tokenizers';
import { BoundedTemplate } from './bounded-template';
import { checkPatterns, checkTokenizer, TokenizerError } from './limits';

export { TokenizerError };

export interface ChatMessage {
  role: string;
  content: string;
}

export interface ChatTemplateOptions {
  /** Ends with what begins an answer. */
  add_generation_prompt?: boolean;
  /** Leaves the last message open, to go on from its text. */
  continue_final_message?: boolean;
  /** What a model's own template asks for besides: Qwen3's `enable_thinking`, Llama's `date_string`. */
  variables?: Readonly<Record<string, unknown>>;
}

/** Marks the end of a message that is to be continued, as in Transformers (chat_template_utils.py). */
const CONTINUE_TAG = 'CONTINUE_FINAL_MESSAGE_TAG ';

type Json = Record<string, unknown>;

export class TextTokenizer {
  readonly bosId: number | null;
  readonly eosId: number | null;
  readonly padId: number | null;
  /** Ids run from 0 to here, exclusive; a model's vocab_size may be larger, never smaller. */
  readonly vocabularySize: number;
  readonly #tokenizer: Tokenizer;
  /** `bos_token` and the like as text, for the template. */
  readonly #specialTokens: Record<string, string>;
  readonly #chatTemplate: string | null;
  #compiled: BoundedTemplate | null = null;

  /**
   * @param tokenizer tokenizer.json, parsed
   * @param config tokenizer_config.json, parsed
   * @param chatTemplate chat_template.jinja, which wins over the config's `chat_template`
   * @throws TokenizerError when the files don't describe a tokenizer
   */
  constructor(tokenizer: unknown, config: unknown, chatTemplate?: string) {
    if (!isObject(tokenizer) || !isObject(config)) throw new TokenizerError('the tokenizer files must be JSON objects');
    this.vocabularySize = checkTokenizer(tokenizer, config);
    try {
      // Transformers cleans up spaces only where the config says so; the library's own default is to do it.
      const withDefaults = { ...config, clean_up_tokenization_spaces: config.clean_up_tokenization_spaces ?? false };
      const pre_tokenizer = exactDigits(tokenizer.pre_tokenizer ?? null);
      this.#tokenizer = new Tokenizer({ added_tokens: [], ...tokenizer, pre_tokenizer }, withDefaults);
    } catch (error) {
      throw new TokenizerError(`tokenizer.json can't be read: ${reasonOf(error)}`, { cause: error });
    }
    const { normalizer, pre_tokenizer, decoder } = this.#tokenizer;
    checkPatterns([normalizer, pre_tokenizer, decoder]);
    dropSource(this.#tokenizer);
    this.#specialTokens = {};
    for (const key of ['bos_token', 'eos_token', 'pad_token', 'unk_token']) {
      const text = tokenContent(config[key]);
      if (text !== null) this.#specialTokens[key] = text;
    }
    this.bosId = this.#idOf('bos_token');
    this.eosId = this.#idOf('eos_token');
    this.padId = this.#idOf('pad_token');
    this.#chatTemplate = chatTemplate ?? templateOf(config.chat_template);
  }

  /** Token ids of a text. Added tokens written in it (`<think>`) are found; `bos` and the like come only when asked for. */
  encode(text: string, options: { add_special_tokens?: boolean } = {}): number[] {
    return this.#tokenizer.encode(text, { add_special_tokens: options.add_special_tokens ?? false }).ids;
  }

  /** The text of ids; ids beyond the vocabulary (a padded embedding has some) give nothing. */
  decode(ids: ArrayLike<number>, options: { skip_special_tokens?: boolean } = {}): string {
    const known = Array.from(ids).filter((id) => this.#tokenizer.id_to_token(id) !== undefined);
    if (known.length === 0) return '';
    return this.#tokenizer.decode(known, { skip_special_tokens: options.skip_special_tokens ?? false });
  }

  /** The text of one token by itself; a part of a character gives U+FFFD. */
  tokenText(id: number): string {
    return this.decode([id]);
  }

  /** The id of a token written exactly so, or null. */
  tokenId(token: string): number | null {
    return this.#tokenizer.token_to_id(token) ?? null;
  }

  get hasChatTemplate(): boolean {
    return this.#chatTemplate !== null;
  }

  /**
   * Renders messages with the model's template, as Transformers does. The text holds the special tokens already, BOS too
   * where the model wants one: encode it without adding any.
   * @throws TokenizerError when there is no template or it rejects the messages
   */
  applyChatTemplate(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string {
    if (this.#chatTemplate === null) throw new TokenizerError('this model has no chat template');
    const { add_generation_prompt = false, continue_final_message = false, variables = {} } = options;
    const shown = messages.map(({ role, content }) => ({ role, content }));
    const last = shown.at(-1);
    if (continue_final_message) {
      if (add_generation_prompt || !last)
        throw new TokenizerError('there must be a last message to continue, and no new one');
      last.content += CONTINUE_TAG;
    }
    let rendered: string;
    try {
      this.#compiled ??= new BoundedTemplate(this.#chatTemplate);
      rendered = this.#compiled.render({
        ...this.#specialTokens,
        tools: null,
        documents: null,
        ...variables,
        messages: shown,
        add_generation_prompt,
      });
    } catch (error) {
      throw new TokenizerError(`the chat template fails: ${reasonOf(error)}`, { cause: error });
    }
    return continue_final_message ? cutAtTag(rendered, messages.at(-1)!.content) : rendered;
  }

  /** Token ids of a conversation: the template's text, encoded. */
  encodeChat(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): number[] {
    return this.encode(this.applyChatTemplate(messages, options));
  }

  #idOf(key: string): number | null {
    const text = this.#specialTokens[key];
    return text === undefined ? null : this.tokenId(text);
  }
}

/** The rendered text up to the end of the message that is to be continued. */
function cutAtTag(rendered: string, content: string): string {
  const at = rendered.lastIndexOf(CONTINUE_TAG.trim());
  if (at < 0 || !rendered.includes(content.trim())) {
    throw new TokenizerError('the chat template leaves out a part of the message that is to be continued');
  }
  // Without the tag's own space the template trims messages, and the end of this one has to be trimmed as well.
  const text = rendered.slice(0, at);
  return rendered.startsWith(CONTINUE_TAG, at) ? text : text.trimEnd();
}

/** Special tokens are written as a string or as an AddedToken object. */
function tokenContent(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return isObject(value) && typeof value.content === 'string' ? value.content : null;
}

/** One template, or a list of named ones of which `default` is meant. */
function templateOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return null;
  const named = value.find((item): item is Json => isObject(item) && item.name === 'default');
  return typeof named?.template === 'string' ? named.template : null;
}

/** Lets go of the parsed file, of which the library has made its own maps: a large one takes hundreds of megabytes. */
function dropSource(built: Tokenizer): void {
  const { model } = built as unknown as { model: { config: Json; merges?: unknown[] } };
  const { vocab: _vocab, merges: _merges, ...config } = model.config;
  Object.assign(built, { tokenizer: null });
  Object.assign(model, { config }, model.merges && { merges: [] });
}

/** Digits as Rust's tokenizers take them, of every script; the library splits at 0 to 9 only. */
function exactDigits(pre: unknown): unknown {
  if (!isObject(pre)) return pre;
  if (pre.type === 'Sequence' && Array.isArray(pre.pretokenizers)) {
    return { ...pre, pretokenizers: pre.pretokenizers.map(exactDigits) };
  }
  if (pre.type !== 'Digits') return pre;
  const Regex = pre.individual_digits === true ? '\\p{N}' : '\\p{N}+';
  return { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
