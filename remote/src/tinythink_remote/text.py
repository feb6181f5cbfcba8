"""Whitespace as JavaScript knows it, so that both sides trim alike."""

# What JavaScript's trim() takes off; Python's strip() takes off more (U+001C to U+001F, U+0085).
WHITESPACE = "\t\n\v\f\r \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))
WHITESPACE += "\u2028\u2029\u202f\u205f\u3000\ufeff"


def trim(text: str) -> str:
    return text.strip(WHITESPACE)
