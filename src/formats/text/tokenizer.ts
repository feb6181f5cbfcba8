/**
 * @file Text to token ids and back, and chat templates: Hugging Face's tokenizers and Jinja in plain JavaScript behind
 * the few calls that the engine needs.
 */
import { reasonOf } from '../../base/errors';
import { Template } from './jinja/template';
import { Tokenizer } from '@huggingface/tokenizers';
import { AddedTokenSplitter, type AddedToken } from './added-tokens';
import { chooseTemplate, type ChosenTemplate } from './chat-template';
import { checkPatterns, checkTemplate, checkTokenizer, TokenizerError } from './limits';

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

/**
 * Tokens that end a turn or a text in the families read here, whatever a model's settings say: as llama.cpp has it. Base
 * models whose template ends turns with one of them often name only another one as their end.
 */
const END_TEXTS = [
  '<|eot_id|>',
  '<|eom_id|>',
  '<|im_end|>',
  '<|end|>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<|end_of_turn|>',
  '<end_of_turn>',
  '<｜end▁of▁sentence｜>',
];

export interface TokenizerOptions {
  /** How many tokens the model has an embedding for. Added tokens beyond are left out: their text is cut like any other. */
  rows?: number;
}

export class TextTokenizer {
  readonly bosId: number | null;
  readonly eosId: number | null;
  readonly padId: number | null;
  /** The tokens that end a turn or a text: the config's `eos_token`, and those that end turns in well-known templates. */
  readonly endIds: readonly number[];
  /** Ids run from 0 to here, exclusive; a model's vocab_size may be larger, never smaller. */
  readonly vocabularySize: number;
  /** Added tokens for which the model has no embedding, by their text. */
  readonly leftOut: readonly string[];
  /** Which template turns messages into text. */
  readonly template: ChosenTemplate;
  readonly #tokenizer: Tokenizer;
  /** Ids of added tokens by their text. */
  readonly #added: ReadonlyMap<string, number>;
  /** `bos_token` and the like as text, for the template. */
  readonly #specialTokens: Record<string, string>;
  #compiled: Template | null = null;

  /**
   * @param tokenizer tokenizer.json, parsed
   * @param config tokenizer_config.json, parsed
   * @param chatTemplate chat_template.jinja, which wins over the config's `chat_template`
   * @throws TokenizerError when the files don't describe a tokenizer
   */
  constructor(tokenizer: unknown, config: unknown, chatTemplate?: string, { rows = Infinity }: TokenizerOptions = {}) {
    if (!isObject(tokenizer) || !isObject(config)) throw new TokenizerError('the tokenizer files must be JSON objects');
    const size = checkTokenizer(tokenizer, config);
    const added = addedTokens(tokenizer);
    const kept = added.filter(({ id }) => id < rows);
    this.#added = new Map(kept.map(({ content, id }) => [content, id]));
    this.leftOut = added.filter(({ id }) => id >= rows).map(({ content }) => content);
    try {
      this.#tokenizer = createTokenizer(tokenizer, config, kept, this.leftOut);
      this.vocabularySize = this.leftOut.length === 0 ? size : 1 + largestId(this.#tokenizer);
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
    const turnEnds = ['eot_token', 'eom_token'].map((key) => tokenContent(config[key]));
    const special = new Set(kept.filter((token) => token.special).map(({ content }) => content));
    const ends = [...turnEnds, ...END_TEXTS.filter((text) => special.has(text))].map((text) =>
      text === null ? null : this.tokenId(text),
    );
    this.endIds = [...new Set([this.eosId, ...ends].filter((id) => id !== null))];
    this.template = chooseTemplate(chatTemplate ?? config.chat_template, (token) => this.tokenId(token) !== null);
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
    return this.#added.get(token) ?? this.#tokenizer.token_to_id(token) ?? null;
  }

  /** Whether the model has a chat template of its own. */
  get hasChatTemplate(): boolean {
    return this.template.origin === 'model';
  }

  /**
   * Renders messages with the model's template, as Transformers does, or with the one that stands in for it. The text
   * holds the special tokens already, BOS too where the model wants one: encode it without adding any.
   * @throws TokenizerError when the template rejects the messages
   */
  applyChatTemplate(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string {
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
      this.#compiled ??= compile(this.template.source);
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

/** The file's added tokens, after `checkTokenizer`. */
function addedTokens({ added_tokens: given }: Json): AddedToken[] {
  return ((given ?? []) as (Json & { id: number; content: string })[]).map((token) => {
    const special = token.special === true;
    const flag = (key: string) => token[key] === true;
    return {
      id: token.id,
      content: token.content,
      special,
      normalized: typeof token.normalized === 'boolean' ? token.normalized : !special,
      single_word: flag('single_word'),
      lstrip: flag('lstrip'),
      rstrip: flag('rstrip'),
    };
  });
}

/** The library's tokenizer, with added tokens found as Transformers finds them. */
function createTokenizer(
  tokenizer: Json,
  config: Json,
  added: readonly AddedToken[],
  leftOut: readonly string[],
): Tokenizer {
  const made = new Tokenizer(
    {
      ...tokenizer,
      pre_tokenizer: exactDigits(tokenizer.pre_tokenizer ?? null),
      model: withoutTokens(tokenizer.model, leftOut),
      // Spaces around them are stripped below.
      added_tokens: added.map((token) => ({ ...token, lstrip: false, rstrip: false })),
    },
    { ...config, clean_up_tokenization_spaces: cleansUp(tokenizer.model, config) },
  );
  const normalize = (token: AddedToken) =>
    token.normalized && made.normalizer ? made.normalizer(token.content) : token.content;
  const inNormalised = (token: AddedToken) => token.normalized && made.normalizer !== null;
  const splitter = (tokens: readonly AddedToken[]) =>
    new AddedTokenSplitter(tokens.map((token) => [normalize(token), token] as const));
  // The library's own splitters don't know `single_word`, and strip less than Rust's do.
  const parts = made as unknown as { splitter_unnormalized: unknown; splitter_normalized: unknown };
  parts.splitter_unnormalized = splitter(added.filter((token) => !inNormalised(token)));
  parts.splitter_normalized = splitter(added.filter(inNormalised));
  keepByteOrderMarks(made.decoder);
  // The library puts added tokens into BPE's own vocabulary too, where `ignore_merges` would find them inside words.
  const own = isObject(tokenizer.model) && isObject(tokenizer.model.vocab) ? tokenizer.model.vocab : null;
  if (own) for (const { content } of added) if (!Object.hasOwn(own, content)) made.model?.tokens_to_ids.delete(content);
  return made;
}

/** The library's decoder of single bytes drops U+FEFF, which is a character like any other in a text. */
function keepByteOrderMarks(decoder: unknown): void {
  if (!isObject(decoder)) return;
  if (decoder.text_decoder) decoder.text_decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  if (Array.isArray(decoder.decoders)) decoder.decoders.forEach(keepByteOrderMarks);
}

/** Older files list added tokens in the vocabulary as well. */
function withoutTokens(model: unknown, leftOut: readonly string[]): unknown {
  if (leftOut.length === 0 || !isObject(model) || !isObject(model.vocab)) return model;
  const vocab = Object.assign(Object.create(null) as Json, model.vocab);
  for (const token of leftOut) delete vocab[token];
  return { ...model, vocab };
}

/** Transformers cleans up spaces only where the config says so, and not for BPE, where that would remove real spaces. */
function cleansUp(model: unknown, config: Json): boolean {
  const isBpe = isObject(model) && (model.type === 'BPE' || (model.type === undefined && 'merges' in model));
  const forced = config.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output === true;
  return config.clean_up_tokenization_spaces === true && (!isBpe || forced);
}

/** Special tokens are written as a string or as an AddedToken object. */
function tokenContent(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return isObject(value) && typeof value.content === 'string' ? value.content : null;
}

function compile(template: string): Template {
  checkTemplate(template);
  return new Template(template);
}

function largestId(tokenizer: Tokenizer): number {
  let largest = -1;
  for (const id of tokenizer.get_vocab().values()) largest = Math.max(largest, id);
  return largest;
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
  return value !== null && (typeof value === 'object' || typeof value === 'function') && !Array.isArray(value);
}
