/**
 * @file The tokenizer inside a GGUF file, as the tokenizer.json and tokenizer_config.json that Hugging Face has for the same
 * model. Two kinds: `gpt2`, byte-level BPE with merges and a pre-tokenizer that is known by name; and `llama`,
 * SentencePiece's BPE, whose merges follow from the scores.
 */
import { t } from '../../i18n';
import { UnsupportedModelError } from '../hf/hf-config';
import { GgufError, type GgufMetadata } from './gguf';
import { preTokenizers, recognisePreTokenizer, UNSPECIFIED, type PreTokenizer } from './pre-tokenizers';
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

/**
 * @param rows how many tokens the model has an embedding for
 * @param notices gets what the user should know, as sentences
 * @throws GgufError, UnsupportedModelError, TokenizerError
 */
export function ggufTokenizer(
  metadata: GgufMetadata,
  rows: number | undefined = undefined,
  notices: string[] = [],
): TextTokenizer {
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
  const options = rows === undefined ? {} : { rows };
  if (kind === 'gpt2') {
    return new TextTokenizer(byteLevel(metadata, vocabulary, special.bos_token, notices), config, undefined, options);
  }
  if (kind === 'llama') {
    return new TextTokenizer(sentencePiece(metadata, vocabulary, special.bos_token), config, undefined, options);
  }
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

function preTokenizerOf(metadata: GgufMetadata, tokens: readonly string[], notices: string[]): PreTokenizer {
  const name = metadata.string('tokenizer.ggml.pre') ?? UNSPECIFIED;
  if (Object.hasOwn(preTokenizers, name)) return preTokenizers[name]!;
  if (name !== UNSPECIFIED) {
    throw new UnsupportedModelError(
      `the pre-tokenizer ${JSON.stringify(name.slice(0, 60))} (tokenizer.ggml.pre) is not supported; supported: ${Object.keys(preTokenizers).join(', ')}`,
    );
  }
  const { preTokenizer, family } = recognisePreTokenizer(metadata.string('general.architecture'), tokens);
  notices.push(
    family === null ? t('models:notices.unknownPreTokenizer') : t('models:notices.recognisedPreTokenizer', { family }),
  );
  return preTokenizer;
}

function byteLevel(metadata: GgufMetadata, vocabulary: Vocabulary, bos: string | undefined, notices: string[]): Json {
  const pre = preTokenizerOf(metadata, vocabulary.tokens, notices);
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
  const onlyFirst = prefixed === true && prefixesOnlyTheText(vocabulary);
  const unknown = vocabulary.tokens[vocabulary.kinds.indexOf(UNKNOWN)];
  const vocab = ids(vocabulary);
  return {
    added_tokens: addedTokens(vocabulary, bos),
    normalizer:
      prefixed === true && !onlyFirst
        ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, space] }
        : onlyFirst
          ? null
          : space,
    pre_tokenizer: onlyFirst ? { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: false } : null,
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
 * Whether SentencePiece's space is put before the text as a whole, and not before every piece behind a special token too.
 * GGUF files don't say which. Models with Mistral's instructions as tokens were trained in the former way (`legacy` false
 * in Transformers), Llama 2 and TinyLlama in the latter.
 */
const prefixesOnlyTheText = ({ tokens, kinds }: Vocabulary): boolean =>
  ['[INST]', '[/INST]'].every((token) => [CONTROL, USER_DEFINED].includes(kinds[tokens.indexOf(token)] ?? 0));

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
