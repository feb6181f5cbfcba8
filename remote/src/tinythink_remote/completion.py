"""Reads a completion as src/tasks/completion.ts does: is it well formed, what is the thought, what the answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

TAGS = ("<pad>", "<bos>", "<eos>", "<think>", "</think>", "<answer>", "</answer>")
STYLES = ("unformatted", "direct", "partial", "full", "check")
# What JavaScript's trim() takes off; Python's strip() takes off more (U+001C to U+001F, U+0085).
WHITESPACE = "\t\n\v\f\r \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))
WHITESPACE += "\u2028\u2029\u202f\u205f\u3000\ufeff"


@dataclass
class Parsed:
    # Exactly `<think>…</think><answer>…</answer>`: no other text, no further tag.
    formatted: bool
    # Text of the first think block; up to the end if it is not closed; None without one.
    think: str | None
    answer: str | None
    style: str


def parse_completion(text: str, steps: int) -> Parsed:
    """`text`: decoded, special tokens written out, without `<eos>`; `steps`: those of the problem's own solution."""
    think = _between(text, "<think>", "</think>")
    answer = _between(text, "<answer>", "</answer>")
    formatted = (
        think is not None
        and answer is not None
        and text == f"<think>{think}</think><answer>{answer}</answer>"
        and not _contains_tag(think)
        and not _contains_tag(answer)
    )
    return Parsed(formatted, think, answer, _style(think or "", steps) if formatted else "unformatted")


def parse_chat_completion(text: str) -> Parsed:
    """Reads an answer in a chat: whitespace between and around the blocks is free, a template may have opened the
    thought, and models that were trained to may box their answer."""
    before, closed, after = text.partition("</think>")
    think = re.sub(r"\A<think>", "", before.lstrip(WHITESPACE)) if closed else None
    rest = after if closed else text
    answer = _last_between(rest, "<answer>", "</answer>")
    if answer is None:
        answer = _last_between(rest, "\\boxed{", "}")
    formatted = (
        think is not None
        and answer is not None
        and rest.strip(WHITESPACE) == f"<answer>{answer}</answer>"
        and not _contains_tag(think)
        and not _contains_tag(answer)
    )
    style = "direct" if (think or "").strip(WHITESPACE) == "" else "full"
    return Parsed(formatted, think, answer, style if formatted else "unformatted")


def _style(think: str, steps: int) -> str:
    lines = sum(line.strip(WHITESPACE) != "" for line in think.split(";"))
    if lines == 0:
        return "direct"
    if "wait" in think:
        return "check"
    return "partial" if lines < steps else "full"


def _between(text: str, opening: str, closing: str) -> str | None:
    start = text.find(opening)
    return None if start < 0 else text[start + len(opening) :].partition(closing)[0]


def _last_between(text: str, opening: str, closing: str) -> str | None:
    start = text.rfind(opening)
    if start < 0:
        return None
    inside, closed, _ = text[start + len(opening) :].partition(closing)
    return inside if closed else None


def _contains_tag(text: str) -> bool:
    return any(tag in text for tag in TAGS)
