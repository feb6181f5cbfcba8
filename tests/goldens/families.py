"""Small tokenizers of the model families that the app opens, built as the families build theirs.

Each has its family's pre-tokenizer, normaliser, decoder, post-processor and special tokens; only the vocabulary is small:
all bytes and a few merges, trained on a few sentences. `tests/goldens/make_checkpoints.py` gives them to its models,
`make_templates.py` renders chats with them.
"""

import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

import chat_templates

CORPUS = [
    "The train leaves at 10:45 and the train arrives at 12:30; how long does the trip take?",
    "You are a helpful assistant. The user asks, the assistant answers.",
    "Let me think: 12 * 7 = 84, and 84 + 16 = 100. So the answer is 100.",
    "I'm sure we've seen that it's the same thing, they'll say.\n\n    def f(x):\n        return x + 1\n",
    "Was ist das? Das ist die Antwort. Zwei und zwei sind vier, naïve café.",
    "<b>bold</b> and $x^2 + y^2 = z^2$, or \\frac{1}{2} — “quoted”…",
]

# Tiktoken's pattern as Llama 3 has it (runs of up to three digits) and as Qwen does (digit by digit).
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace("{1,3}", "")


def split_by(regex: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(regex), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def byte_level(pre: pre_tokenizers.PreTokenizer, merges: int, first: tuple[str, ...] = ()) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + len(first) + merges,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=list(first),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def special(*texts: str) -> list[AddedToken]:
    return [AddedToken(text, special=True, normalized=False) for text in texts]


def plain(*texts: str) -> list[AddedToken]:
    """Added tokens that are not special: found in text, and kept when special tokens are skipped."""
    return [AddedToken(text, special=False, normalized=False) for text in texts]


def with_bos(tokenizer: Tokenizer, bos: str) -> processors.PostProcessor:
    return processors.TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))])


def wrap(tokenizer: Tokenizer, template: str, **tokens: str) -> PreTrainedTokenizerFast:
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **tokens)
    made.chat_template = template
    return made


def qwen2(merges: int = 36) -> PreTrainedTokenizerFast:
    tokenizer = byte_level(split_by(QWEN2), merges)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens(special("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    return wrap(tokenizer, chat_templates.QWEN25, pad_token="<|endoftext|>", eos_token="<|im_end|>")


def qwen3(merges: int = 36) -> PreTrainedTokenizerFast:
    tokenizer = byte_level(split_by(QWEN2), merges)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens(special("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    tokenizer.add_tokens(plain("<think>", "</think>"))
    return wrap(tokenizer, chat_templates.QWEN3, pad_token="<|endoftext|>", eos_token="<|im_end|>")


def r1_distill_qwen(merges: int = 36) -> PreTrainedTokenizerFast:
    tokenizer = byte_level(split_by(QWEN2), merges)
    tokenizer.normalizer = normalizers.NFC()
    bos, eos = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
    tokenizer.add_special_tokens(special(eos))
    tokenizer.add_tokens(plain("<｜User｜>", "<｜Assistant｜>"))
    tokenizer.add_special_tokens(special(bos))
    tokenizer.add_tokens(plain("<think>", "</think>"))
    tokenizer.post_processor = with_bos(tokenizer, bos)
    return wrap(tokenizer, chat_templates.R1_DISTILL, bos_token=bos, eos_token=eos, pad_token=eos)


def llama3(merges: int = 36) -> PreTrainedTokenizerFast:
    tokenizer = byte_level(split_by(LLAMA3), merges)
    tokenizer.model.ignore_merges = True
    bos = "<|begin_of_text|>"
    tokenizer.add_special_tokens(
        special(bos, "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>")
    )
    tokenizer.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=False), with_bos(tokenizer, bos)]
    )
    return wrap(tokenizer, chat_templates.LLAMA3, bos_token=bos, eos_token="<|eot_id|>")


def smollm2(merges: int = 36) -> PreTrainedTokenizerFast:
    pre = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    first = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<file_sep>")
    tokenizer = byte_level(pre, merges, first)
    return wrap(
        tokenizer,
        chat_templates.SMOLLM2,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        unk_token="<|endoftext|>",
        pad_token="<|im_end|>",
    )


# SentencePiece's order: control tokens, the 256 bytes, merged pieces by rank, then single characters.
def sentencepiece(merges: int = 40, characters: int = 70) -> PreTrainedTokenizerFast:
    """Mistral's (and Llama 2's): BPE over characters, ▁ for a space, unknown characters as bytes."""
    control = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    trained.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=characters + merges, show_progress=False)
    )
    model = json.loads(trained.to_str())["model"]
    pieces = sorted(model["vocab"], key=model["vocab"].get)
    single = [p for p in pieces if len(p) == 1]
    merged = [p for p in pieces if len(p) > 1]
    vocabulary = control + [f"<0x{i:02X}>" for i in range(256)] + merged + single
    ids = {piece: i for i, piece in enumerate(vocabulary)}
    # The rank of a merge is that of the piece it makes, whatever its parts, as SentencePiece has it.
    pairs = [
        (left, right)
        for piece in merged
        for left, right in sorted(
            ((piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in ids and piece[i:] in ids),
            key=lambda pair: (ids[pair[0]], ids[pair[1]]),
        )
    ]
    tokenizer = Tokenizer(
        models.BPE(vocab=ids, merges=pairs, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.add_special_tokens(special(*control))
    # As Mistral's since version 0.3: a space before the text, and none after special tokens.
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = with_bos(tokenizer, "<s>")
    return wrap(tokenizer, chat_templates.MISTRAL, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


FAMILIES = {
    "qwen2.5": qwen2,
    "qwen3": qwen3,
    "r1-distill-qwen": r1_distill_qwen,
    "llama3": llama3,
    "smollm2": smollm2,
    "mistral": sentencepiece,
}
