"""Makes added_tokens.json: small tokenizers with every kind of added token, SentencePiece's spaces and decoding, and what
Hugging Face's tokenizers (and Transformers, for decoding) make of texts, for tests/formats/text/added-tokens.test.ts.

    python tests/goldens/make_added_tokens.py    (no torch needed)
"""

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

HERE = Path(__file__).parent

TEXTS = [
    "word",
    "a word here",
    "swordfish word",
    "words word. word",
    "word_ 1word word1 wordé éword word\u0301 \u2019word\u2019",
    "word\u200dword 😀word😀 漢word字 -word-",
    "<user>\n\n Hi <user>  ",
    "x  <sys> y\t\n<sys>",
    "<user>  <sys>  <user><sys>",
    "\u0085<sys>\u0085 \ufeff<sys>\ufeff<user>\ufeff\u00a0x",
    "<think>\nplan</think>",
    "<think>plan",
    "<a><b><a><a><b>",
    "<a",
    "nő no\u030b ző zo\u030b",
    "Word WORD word",
    "  two  spaces  ",
    "In 12 shops, it 's fine . Isn 't it ?",
    "<a>In 12<b> shops<a> In",
    "",
]


def added(**flags) -> list[AddedToken]:
    token = lambda text, **more: AddedToken(text, **{"normalized": False, **more})  # noqa: E731
    return [
        token("<a>", special=True),
        token("<b>", special=True),
        token("<a><b>", special=True),
        token("<user>", special=True, rstrip=True),
        token("<sys>", special=True, lstrip=True),
        token("<think>"),
        token("<think>\n"),
        token("word", single_word=True),
        token("ző"),
        AddedToken("nő", normalized=True),
    ]


BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())


def byte_level(**options) -> Tokenizer:
    vocab = {token: i for i, token in enumerate([*BYTES, "wo", "rd", "word", "sh", "op", "shop", "ĠI", "ĠIn", "12"])}
    merges = [("w", "o"), ("r", "d"), ("wo", "rd"), ("s", "h"), ("o", "p"), ("sh", "op"), ("Ġ", "I"), ("ĠI", "n"), ("1", "2")]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, **options))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def nfc(**options) -> Tokenizer:
    tokenizer = byte_level(**options)
    tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def lower() -> Tokenizer:
    tokenizer = byte_level()
    tokenizer.normalizer = normalizers.Lowercase()
    return tokenizer


def without_own_word() -> Tokenizer:
    """The added token's text is no token of BPE's own."""
    vocab = {token: i for i, token in enumerate([*BYTES, "wo", "rd"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[("w", "o"), ("r", "d")], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def sentencepiece(scheme: str | None) -> Tokenizer:
    pieces = ["<unk>", *(f"<0x{i:02X}>" for i in range(256)), "▁", *"Inshop12,.?'tafewrdHi", "▁I", "▁In", "sh", "op", "shop", "▁shop", "In"]
    vocab = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    merges = [("▁", "I"), ("▁I", "n"), ("I", "n"), ("s", "h"), ("o", "p"), ("sh", "op"), ("▁", "shop")]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if scheme is None:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme, split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer




TOKENIZERS = {
    "byte-level": (byte_level(), {}),
    "byte-level, whole words first": (byte_level(ignore_merges=True), {}),
    "byte-level without the word": (without_own_word(), {}),
    "NFC": (nfc(), {}),
    "lower case": (lower(), {}),
    "legacy SentencePiece": (sentencepiece(None), {}),
    "SentencePiece, first": (sentencepiece("first"), {}),
    "SentencePiece, always": (sentencepiece("always"), {}),
    "SentencePiece, never": (sentencepiece("never"), {}),
    "BPE that asks for a clean-up": (byte_level(), {"clean_up_tokenization_spaces": True}),
    "BPE that insists on a clean-up": (
        byte_level(),
        {
            "clean_up_tokenization_spaces": True,
            "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": True,
        },
    ),
}


def main() -> None:
    made = []
    for name, (tokenizer, config) in TOKENIZERS.items():
        tokenizer.add_tokens(added())
        for token in added():
            if token.special:
                tokenizer.add_special_tokens([token])
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **config)
        texts = []
        for text in TEXTS:
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            texts.append({"text": text, "ids": ids, "decoded": fast.decode(ids)})
        made.append({"name": name, "tokenizer": json.loads(tokenizer.to_str()), "config": config, "texts": texts})
    dump = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))  # noqa: E731
    (HERE / "added_tokens.json").write_text("[" + ",\n".join(map(dump, made)) + "]\n", encoding="utf-8")
    print(len(made), "tokenizers,", len(TEXTS), "texts")


if __name__ == "__main__":
    main()
