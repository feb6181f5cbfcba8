/**
 * @file The tokenizer inside a GGUF file, as the tokenizer.json and tokenizer_config.json that Hugging Face has for the same
 * model. Two kinds: `gpt2`, byte-level BPE with merges and a pre-tokenizer that is known by name; and `llama`,
 * SentencePiece's BPE, whose merges follow from the scores.
 */
import { UnsupportedModelError } from '../hf/hf-config';
import { GgufError, type GgufMetadata } from './gguf';
import { TextTokenizer } from '../text/tokenizer';

/** llama.cpp's kinds of token. */
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;

/** The largest vocabulary in which SentencePiece's merges are looked for. */
const MAX_TOKENS = 1 << 20;
/** Longer pieces are not cut in two, which takes the square of their length; published ones have up to 31 characters. */
const LONGEST_PIECE = 128;

type Json = Record<string, unknown>;

interface Vocabulary {
  tokens: string[];
  kinds: number[];
}

/** @throws GgufError, UnsupportedModelError, TokenizerError */
export function ggufTokenizer(metadata: GgufMetadata): TextTokenizer {
  const kind = metadata.string('tokenizer.ggml.model');
  const tokens = metadata.list('tokenizer.ggml.tokens', 'string');
  if (!tokens || tokens.length === 0) throw new GgufError('the file has no tokenizer (tokenizer.ggml.tokens)');
  if (tokens.length > MAX_TOKENS) throw new GgufError(`the tokenizer has ${tokens.length} tokens`);
  const kinds = metadata.list('tokenizer.ggml.token_type', 'number') ?? tokens.map(() => 1);
  if (kinds.length !== tokens.length) {
    throw new GgufError(`tokenizer.ggml.token_type has ${kinds.length} entries for ${tokens.length} tokens`);
  }
  const vocabulary = { tokens, kinds };
  const special = specialTokens(metadata, tokens);
  const template = metadata.string('tokenizer.chat_template');
  const config = { ...special, ...(template !== null && { chat_template: template }) };
  if (kind === 'gpt2') return new TextTokenizer(byteLevel(metadata, vocabulary, special.bos_token), config);
  if (kind === 'llama') return new TextTokenizer(sentencePiece(metadata, vocabulary, special.bos_token), config);
  throw new UnsupportedModelError(
    `the tokenizer ${JSON.stringify(kind)} (tokenizer.ggml.model) is not supported; supported: gpt2, llama`,
  );
}

function specialTokens(metadata: GgufMetadata, tokens: readonly string[]): Record<string, string> {
  const keys = { bos_token: 'bos', eos_token: 'eos', pad_token: 'padding', unk_token: 'unknown' };
  const found: Record<string, string> = {};
  for (const [name, key] of Object.entries(keys)) {
    const id = metadata.number(`tokenizer.ggml.${key}_token_id`);
    const text = id === null ? undefined : tokens[id];
    if (text !== undefined) found[name] = text;
  }
  return found;
}

/** Control tokens are special; user-defined ones are found in text as well. Unused ones fill gaps and stand for nothing. */
function addedTokens({ tokens, kinds }: Vocabulary, bos: string | undefined): Json[] {
  const added = tokens.map((content, id) => {
    const special = kinds[id] === CONTROL || kinds[id] === UNKNOWN || content === bos;
    return special || kinds[id] === USER_DEFINED
      ? { id, content, special, normalized: false, single_word: false, lstrip: false, rstrip: false }
      : null;
  });
  // A token without a text would be found everywhere.
  return added.filter((token) => token !== null && token.content !== '') as Json[];
}

/** Token → id. Without a prototype, so that `__proto__` is a token like any other. */
function ids({ tokens, kinds }: Vocabulary): Record<string, number> {
  const map = Object.create(null) as Record<string, number>;
  tokens.forEach((token, id) => {
    if (kinds[id] !== UNUSED) map[token] = id;
  });
  return map;
}

/** Puts BOS before a text that is encoded with special tokens. Chat templates write their own. */
function postProcessor(metadata: GgufMetadata, assumed: boolean, bos: string | undefined): Json | null {
  const add = metadata.get('tokenizer.ggml.add_bos_token') ?? assumed;
  if (add !== true || bos === undefined) return null;
  const text = { Sequence: { id: 'A', type_id: 0 } };
  return { type: 'TemplateProcessing', single: [{ SpecialToken: { id: bos, type_id: 0 } }, text], pair: [text] };
}

const LLAMA3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const QWEN2 = LLAMA3.replace('{1,3}', '');

const split = (regex: string) => ({ type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false });
const bytes = (withRegex: boolean) => ({ type: 'ByteLevel', add_prefix_space: false, use_regex: withRegex });
const sequence = (...pretokenizers: Json[]) => ({ type: 'Sequence', pretokenizers });

interface PreTokenizer {
  split: Json;
  normalizer: Json | null;
  /** Whole words that are tokens are taken before any merge. */
  ignoreMerges: boolean;
  addBos: boolean;
}

const plain = { normalizer: null, ignoreMerges: false, addBos: false };
const gpt2: PreTokenizer = { ...plain, split: bytes(true) };
const llama3: PreTokenizer = {
  ...plain,
  split: sequence(split(LLAMA3), bytes(false)),
  ignoreMerges: true,
  addBos: true,
};
const qwen2: PreTokenizer = { ...plain, split: sequence(split(QWEN2), bytes(false)), normalizer: { type: 'NFC' } };
const digits: PreTokenizer = {
  ...plain,
  split: sequence({ type: 'Digits', individual_digits: true }, bytes(true)),
};

/** Pre-tokenizers by llama.cpp's names for them (src/llama-vocab.cpp there). */
const preTokenizers: Record<string, PreTokenizer> = {
  default: gpt2,
  'gpt-2': gpt2,
  gpt2,
  'llama-bpe': llama3,
  'llama-v3': llama3,
  llama3,
  qwen2,
  'deepseek-r1-qwen': qwen2,
  smollm: digits,
  starcoder: digits,
};

function byteLevel(metadata: GgufMetadata, vocabulary: Vocabulary, bos: string | undefined): Json {
  const name = metadata.string('tokenizer.ggml.pre') ?? 'default';
  const pre = Object.hasOwn(preTokenizers, name) ? preTokenizers[name]! : null;
  if (!pre) {
    throw new UnsupportedModelError(
      `the pre-tokenizer ${JSON.stringify(name.slice(0, 60))} (tokenizer.ggml.pre) is not supported; supported: ${Object.keys(preTokenizers).join(', ')}`,
    );
  }
  const merges = metadata.list('tokenizer.ggml.merges', 'string') ?? [];
  const pairs = merges.map((merge) => merge.split(' '));
  const wrong = pairs.findIndex((pair) => pair.length !== 2);
  if (wrong >= 0) throw new GgufError(`merge ${wrong} of the tokenizer is not a pair`);
  return {
    added_tokens: addedTokens(vocabulary, bos),
    normalizer: pre.normalizer,
    pre_tokenizer: pre.split,
    post_processor: postProcessor(metadata, pre.addBos, bos),
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab: ids(vocabulary), merges: pairs, ignore_merges: pre.ignoreMerges },
  };
}

function sentencePiece(metadata: GgufMetadata, vocabulary: Vocabulary, bos: string | undefined): Json {
  const space = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
  const prefixed = metadata.get('tokenizer.ggml.add_space_prefix') ?? true;
  const unknown = vocabulary.tokens[vocabulary.kinds.indexOf(UNKNOWN)];
  const vocab = ids(vocabulary);
  return {
    added_tokens: addedTokens(vocabulary, bos),
    normalizer:
      prefixed === true ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, space] } : space,
    pre_tokenizer: null,
    post_processor: postProcessor(metadata, true, bos),
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefixed === true ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: 'BPE',
      vocab,
      merges: mergesOf(vocabulary, vocab, metadata.list('tokenizer.ggml.scores', 'number')),
      byte_fallback: true,
      fuse_unk: true,
      ...(unknown !== undefined && { unk_token: unknown }),
    },
  };
}

/**
 * SentencePiece joins the two neighbours whose whole has the best score. As merges: every way to cut a piece into two that
 * are pieces as well, pieces with better scores first.
 */
function mergesOf({ tokens, kinds }: Vocabulary, vocab: Record<string, number>, scores: number[] | null): string[][] {
  if (scores && scores.length !== tokens.length) {
    throw new GgufError(`tokenizer.ggml.scores has ${scores.length} entries for ${tokens.length} tokens`);
  }
  const scoreOf = (id: number) => scores?.[id] ?? -id;
  const pieces = tokens.map((_, id) => id).filter((id) => kinds[id] === 1 && tokens[id]!.length <= LONGEST_PIECE);
  pieces.sort((a, b) => scoreOf(b) - scoreOf(a) || a - b);
  return pieces.flatMap((id) => {
    const characters = Array.from(tokens[id]!);
    const pairs: [string, string][] = [];
    let left = '';
    for (const character of characters.slice(0, -1)) {
      left += character;
      const right = tokens[id]!.slice(left.length);
      if (vocab[left] !== undefined && vocab[right] !== undefined) pairs.push([left, right]);
    }
    return pairs.sort((a, b) => vocab[a[0]]! - vocab[b[0]]! || vocab[a[1]]! - vocab[b[1]]!);
  });
}
