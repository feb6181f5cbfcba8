/**
 * @file How byte-level BPE cuts a text before its merges. GGUF files say it by name (`tokenizer.ggml.pre`); older ones
 * don't, and are recognised by their tokens: the pieces that were cut in training can be seen in the vocabulary.
 */

type Json = Record<string, unknown>;

export interface PreTokenizer {
  split: Json;
  normalizer: Json | null;
  /** Whole words that are tokens are taken before any merge. */
  ignoreMerges: boolean;
  addBos: boolean;
}

const LLAMA3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const QWEN2 = LLAMA3.replace('{1,3}', '');

const split = (regex: string) => ({ type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false });
const bytes = (withRegex: boolean) => ({ type: 'ByteLevel', add_prefix_space: false, use_regex: withRegex });
const sequence = (...pretokenizers: Json[]) => ({ type: 'Sequence', pretokenizers });

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

/** By llama.cpp's names (src/llama-vocab.cpp). */
export const preTokenizers: Readonly<Record<string, PreTokenizer>> = {
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

/** What a file says that doesn't know its own pre-tokenizer: old converters wrote nothing, or this. */
export const UNSPECIFIED = 'default';

export interface RecognisedPreTokenizer {
  preTokenizer: PreTokenizer;
  /** Null where nothing was recognised, and GPT-2's is assumed. */
  family: 'Llama 3' | 'Qwen 2' | 'SmolLM' | 'GPT-2' | null;
}

/** Tokens that only one family's tokenizers have, among models of the llama architecture. */
const marks: { tokens: readonly string[]; recognised: RecognisedPreTokenizer }[] = [
  { tokens: ['<|start_header_id|>', '<|eot_id|>'], recognised: { preTokenizer: llama3, family: 'Llama 3' } },
  { tokens: ['<|begin_of_text|>', '<|end_of_text|>'], recognised: { preTokenizer: llama3, family: 'Llama 3' } },
  { tokens: ['<|im_start|>', '<repo_name>'], recognised: { preTokenizer: digits, family: 'SmolLM' } },
];

/** How many tokens a vocabulary must have before what is missing from it says something. */
const TELLING_TOKENS = 10_000;

/**
 * @param architecture llama.cpp's name
 * @param tokens in the letters that stand for bytes
 */
export function recognisePreTokenizer(architecture: string | null, tokens: readonly string[]): RecognisedPreTokenizer {
  // All of Qwen's own models, and those that DeepSeek made of them, have the same one.
  if (architecture === 'qwen2' || architecture === 'qwen3') return { preTokenizer: qwen2, family: 'Qwen 2' };
  const known = new Set(tokens);
  const marked = marks.find((mark) => mark.tokens.every((token) => known.has(token)));
  if (marked) return marked.recognised;
  if (tokens.length < TELLING_TOKENS) return { preTokenizer: gpt2, family: null };
  let longestNumber = 0;
  let wordsWithMarks = false;
  for (const token of tokens) {
    const number = /^Ġ?(\d+)$/.exec(token);
    if (number) longestNumber = Math.max(longestNumber, number[1]!.length);
    // Only Llama 3 and Qwen cut `(self` and `.get` as one piece. Apostrophes begin contractions everywhere.
    wordsWithMarks ||= /^[(._[{/]\p{L}{2,}$/u.test(token);
  }
  if (wordsWithMarks && longestNumber === 1) return { preTokenizer: qwen2, family: 'Qwen 2' };
  if (wordsWithMarks && longestNumber === 3) return { preTokenizer: llama3, family: 'Llama 3' };
  if (!wordsWithMarks && longestNumber === 1) return { preTokenizer: digits, family: 'SmolLM' };
  if (!wordsWithMarks && longestNumber > 3) return { preTokenizer: gpt2, family: 'GPT-2' };
  return { preTokenizer: gpt2, family: null };
}
