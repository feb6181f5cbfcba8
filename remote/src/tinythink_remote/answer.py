"""The one reader of what models answer, as src/tasks/answer.ts: thoughts, answer, whether the format was kept, how it
thinks, and whether two answers say the same. Everything read here is hostile: it is read in linear time and never
evaluated. Both sides are held to tests/goldens/task_vectors.json and tests/goldens/answers.json."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .free_text import boxed_span, marked_answer, only_value, tagged_span, unmarked_answer
from .notation import join_thousands
from .same_answer import same_answer
from .text import WHITESPACE, trim
from .thoughts import separate_thoughts, without_stray_tags

__all__ = ["STYLES", "Parsed", "final_answer", "only_value", "parse_chat_completion", "parse_completion", "same_answer"]

TAGS = ("<pad>", "<bos>", "<eos>", "<think>", "</think>", "<answer>", "</answer>")
STYLES = ("unformatted", "direct", "partial", "full", "check")


@dataclass
class Parsed:
    # Exactly `<think>…</think><answer>…</answer>`: no other text, no further tag.
    formatted: bool
    # Text of the first think block; up to the end if it is not closed; None without one.
    think: str | None
    answer: str | None
    style: str


def parse_completion(text: str, steps: int) -> Parsed:
    """Reads a completion of the small models, which must keep the format to the letter.

    `text`: decoded, special tokens written out, without `<eos>`; `steps`: those of the problem's own solution.
    """
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
    """Reads a completion of a chat model: whitespace between and around the blocks is free, the chat template may have
    opened the thoughts, and the answer may be boxed instead of tagged."""
    before, closed, after = text.partition("</think>")
    think = before.lstrip(WHITESPACE).removeprefix("<think>") if closed else None
    rest = after if closed else text
    span = tagged_span(rest) or boxed_span(rest)
    answer = span.inside if span else None
    formatted = (
        think is not None
        and answer is not None
        and trim(rest) == f"<answer>{answer}</answer>"
        and not _contains_tag(think)
        and not _contains_tag(answer)
    )
    style = "direct" if trim(think or "") == "" else "full"
    return Parsed(formatted, think, answer, style if formatted else "unformatted")


def final_answer(text: str) -> str | None:
    """The final answer in free text, without dollar signs and, when it is a number, without thousands separators.

    What follows the thoughts is read first, and the thoughts only when there is no answer after them.
    """
    message = separate_thoughts(text)
    if not message.thoughts:
        return _answer_in(text)
    # Thoughts between parts of the answer are not read: they may well doubt it.
    answer = _answer_in(without_stray_tags(message.answer))
    return _answer_in(message.thoughts[0]) if answer is None and message.first else answer


def _answer_in(text: str) -> str | None:
    marked = marked_answer(text)
    if marked is None:
        value = unmarked_answer(text)
        return None if value is None else _tidy(value)
    box = boxed_span(marked)
    inner = box.inside if box else marked
    if len(inner) < 500:
        introduced = r"[\s\ufeff]*(?:\\text *\{)?[^{}\\]*(?<![a-zA-Z0-9_])answer is:? *\}? *"
        inner = re.sub(rf"\A{introduced}", "", inner, flags=re.IGNORECASE) or inner
    return _tidy(inner)


def _tidy(answer: str) -> str:
    """A number alone, however it is set, becomes plain digits; any other answer only loses its dollar signs."""
    bare = trim(re.sub(r"\A\${1,2}|\${1,2}\Z", "", trim(answer)))
    if len(bare) > 200:
        return bare
    plain = re.sub(r"\A\\?\$ *", "", bare)
    plain = re.sub("\\A([-+\u2212]) *\\\\?\\$ *", r"\1", plain).replace("\u2212", "-").replace("{,}", ",")
    plain = re.sub(r"\\,|[\u00a0\u2009\u202f]", "~", plain.replace(",\\!", ","))
    plain = join_thousands(plain).removesuffix(".")
    return plain if re.fullmatch(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)", plain) else bare


def _style(think: str, steps: int) -> str:
    lines = sum(trim(line) != "" for line in think.split(";"))
    if lines == 0:
        return "direct"
    if "wait" in think:
        return "check"
    return "partial" if lines < steps else "full"


def _between(text: str, opening: str, closing: str) -> str | None:
    start = text.find(opening)
    return None if start < 0 else text[start + len(opening) :].partition(closing)[0]


def _contains_tag(text: str) -> bool:
    return any(tag in text for tag in TAGS)
