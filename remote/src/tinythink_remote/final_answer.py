"""The final answer in free text, as src/tasks/final-answer.ts finds it: boxed, tagged, or the last number."""

from __future__ import annotations

import re

from .completion import WHITESPACE

_NUMBER = re.compile(r"-?[0-9][0-9,]*(?:\.[0-9]+)?")
_PLAIN_NUMBER = re.compile(r"-?[0-9,]+(\.[0-9]+)?\.?")


def final_answer(text: str) -> str | None:
    """What follows the thoughts is read first; only without an answer there, or an end to them, all of the text."""
    thoughts, closed, said = text.rpartition("</think>")
    if not closed:
        return _answer_in(text)
    answer = _answer_in(said)
    return _answer_in(thoughts) if answer is None else answer


def tidy(answer: str) -> str:
    """Without dollar signs, thousands separators and a full stop at the end."""
    plain = re.sub(r"\A\$+|\$+\Z", "", answer.strip(WHITESPACE)).strip(WHITESPACE)
    return plain.replace(",", "").removesuffix(".") if _PLAIN_NUMBER.fullmatch(plain) else plain


def _answer_in(text: str) -> str | None:
    marked = _boxed(text)
    if marked is None:
        marked = _tagged(text)
    if marked is not None:
        return tidy(marked)
    numbers = _NUMBER.findall(text)
    return tidy(numbers[-1]) if numbers else None


def _boxed(text: str) -> str | None:
    """The inside of the last `\\boxed{…}`, with balanced braces."""
    opening = "\\boxed{"
    at = text.rfind(opening)
    if at < 0:
        return None
    start = at + len(opening)
    depth = 1
    for i in range(start, len(text)):
        if text[i] == "{":
            depth += 1
        elif text[i] == "}":
            depth -= 1
            if depth == 0:
                return text[start:i]
    return None


def _tagged(text: str) -> str | None:
    start = text.rfind("<answer>")
    if start < 0:
        return None
    inside, closed, _ = text[start + len("<answer>") :].partition("</answer>")
    return inside if closed else None
