"""Tokens as text, and which of them end a completion."""

from __future__ import annotations


class TokenTexts:
    """The text of a tokenizer's tokens. Each id is decoded once."""

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer
        self._texts: dict[int, str] = {}
        self._ends = {tokenizer.eos_token_id, tokenizer.pad_token_id}

    def is_truncated(self, ids: list[int]) -> bool:
        """Whether the completion was cut off by its maximum length, judged as TRL does: its last token ends nothing."""
        return ids[-1] not in self._ends

    def completion(self, ids: list[int]) -> str:
        """The completion with its special tokens written out, without the token that ends it."""
        return self._decode(ids if self.is_truncated(ids) else ids[:-1])

    def each(self, ids: list[int]) -> list[str]:
        """The text of each token by itself."""
        for token in ids:
            if token not in self._texts:
                self._texts[token] = self._decode([token])
        return [self._texts[token] for token in ids]

    def _decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
