"""Separates a message's thoughts from its answer, as src/tasks/answers/thoughts.ts does."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

OPEN = "<think>"
CLOSE = "</think>"
STARTS_THINKING = re.compile(r"[\s\ufeff]*<think>")
# A code span that mentions a tag, such as `</think>`. Other backticks may well belong to two different spans.
MENTION = re.compile(r"`+<[^`\n]*>`+")
CODE = re.compile(r"^```[^\n]*\n[\s\S]*?^```|`+<[^`\n]*>`+", re.MULTILINE)


@dataclass
class Message:
    """A message's blocks of thoughts in order, whether the first comes before the answer, whether the last was never closed,
    and everything else."""

    thoughts: list[str] = field(default_factory=list)
    first: bool = False
    open: bool = False
    answer: str = ""


def separate_thoughts(text: str) -> Message:
    """The first block is what comes before the first `</think>`, whether `<think>` opens it or the chat template did. A
    later block begins with `<think>` right after another block, or with `<think>` and a line break. Any other tag is text,
    and so is a tag in code."""
    in_code = _code_at(text, CODE)
    message = Message()
    begin = STARTS_THINKING.match(text)
    at = begin.end() if begin else 0
    close = _find(text, CLOSE, at, in_code)
    if at > 0 and close < 0:
        # A fence that thoughts left open pairs with one of the answer, and the closing tag is between them.
        close = _find(text, CLOSE, at, _code_at(text, MENTION))
    if at == 0:
        block = _find(text, f"{OPEN}\n", 0, in_code)
        if 0 <= block < close:
            close = -1
    inside = message.first = at > 0 or close >= 0
    while True:
        if inside:
            message.thoughts.append(text[at:] if close < 0 else text[at:close])
            if close < 0:
                message.open = True
                return message
            at = close + len(CLOSE)
            while at < len(text) and at < close + len(CLOSE) + 2 and text[at] == "\n":
                at += 1
        follows = STARTS_THINKING.match(text, at, at + 1000) if inside else None
        block = follows.end() - len(OPEN) if follows else _find(text, f"{OPEN}\n", at, in_code)
        message.answer += text[at:] if block < 0 else text[at:block]
        if block < 0:
            return message
        at = block + len(OPEN)
        close = _find(text, CLOSE, at, in_code)
        inside = True


def without_stray_tags(answer: str) -> str:
    """What follows the last closing tag without an opening one, as models' templates read a message."""
    end = answer.rfind(CLOSE)
    return answer if end < 0 or _code_at(answer, CODE)(end) else answer[end + len(CLOSE) :]


def _find(text: str, tag: str, start: int, in_code: Callable[[int], bool]) -> int:
    """Where a tag is outside of code; -1 where it isn't."""
    at = text.find(tag, start)
    while at >= 0 and in_code(at):
        at = text.find(tag, at + len(tag))
    return at


def _code_at(text: str, code: re.Pattern) -> Callable[[int], bool]:
    spans = [match.span() for match in code.finditer(text)] if "`" in text else []
    begins = [begin for begin, _ in spans]

    def is_code(at: int) -> bool:
        index = bisect_right(begins, at) - 1
        return index >= 0 and at < spans[index][1]

    return is_code
