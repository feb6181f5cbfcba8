"""The 64-token character vocabulary of the toy tasks, as a Transformers tokenizer."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

VOCAB_SIZE = 64
PAD, BOS, EOS = 0, 1, 2
SPECIAL = ["<pad>", "<bos>", "<eos>", "<think>", "</think>", "<answer>", "</answer>"]
CHARACTERS = "0123456789+-*=();,.?: abcdefghijklmnopqrstuvwxyz"


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token a character; the four tags are single tokens; the tail is filled with <unusedN>."""
    tokens = SPECIAL + list(CHARACTERS)
    tokens += [f"<unused{i}>" for i in range(VOCAB_SIZE - len(tokens))]
    tokenizer = Tokenizer(models.WordLevel({token: i for i, token in enumerate(tokens)}, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        extra_special_tokens=["<think>", "</think>", "<answer>", "</answer>"],
        padding_side="left",
    )
