"""Finds the final answer in free text, as src/tasks/answers/free-text.ts does: what is boxed or tagged, what follows
"the answer is", or else the last value. Reads in linear time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .notation import spell_out_characters, unit_named

MAX_LINE = 2000
MAX_PHRASES = 40
# JavaScript's \s, as far as these texts need it.
_S = r"[\t\n\v\f\r \u00a0\ufeff\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"


@dataclass(frozen=True)
class Span:
    start: int
    end: int
    inside: str


def marked_answer(text: str) -> str | None:
    """What the text marks as its answer: the last `\\boxed{…}`, `<answer>…</answer>` or `#### …`."""
    spans = [span for span in (boxed_span(text), tagged_span(text), _hash_span(text)) if span]
    return max(spans, key=lambda span: span.end).inside if spans else None


def unmarked_answer(text: str) -> str | None:
    """What follows "the answer is"; else the last value."""
    text = spell_out_characters(text)
    announced = _announced_answer(text)
    return _last_value(text) if announced is None else announced


def only_value(text: str) -> str | None:
    """The value in a short text that has exactly one, such as `42` in "42 marbles"."""
    values = [value for line in spell_out_characters(text).split("\n") for value in _values_in(line[:MAX_LINE])]
    return values[0].inside if len(values) == 1 else None


_BOX = re.compile(r"\\(?:boxed|fbox) *(?=\{)")
_BRACE = re.compile(r"[\\{}]")
_BETWEEN_BOXES = re.compile(rf"(?:{_S}|\$)*(?:,|and|or|, *and|, *or|\\text\{{ (?:and|or) \}})(?:{_S}|\$)*")


def boxed_span(text: str) -> Span | None:
    """The last `\\boxed{…}` that closes, with balanced braces; boxes joined by "and" or a comma are one list."""
    if "\\boxed" not in text and "\\fbox" not in text:
        return None
    braces: list[tuple[int, int] | None] = []
    boxes_open = at = 0
    boxes: list[Span] = []
    while match := _BRACE.search(text, at):
        at = match.start()
        if match[0] == "\\":
            box = _BOX.match(text, at)
            if box:
                braces.append((at, box.end() + 1))
                boxes_open += 1
                at = box.end() + 1
            else:
                at += 2
            continue
        if match[0] == "{":
            braces.append(None)
        elif braces and (opened := braces.pop()):
            boxes_open -= 1
            # Only the outermost of nested boxes counts, unless it never closes.
            while boxes and boxes[-1].start > opened[0]:
                boxes.pop()
            boxes.append(Span(opened[0], at + 1, text[opened[1] : at]))
            if len(boxes) > 8 and boxes_open == 0:
                del boxes[:-8]
        at += 1
    if not boxes:
        return _bare_box(text)
    last = boxes.pop()
    joined = [last]
    while boxes:
        between = text[boxes[-1].end : joined[0].start]
        if len(between) > 20 or not _BETWEEN_BOXES.fullmatch(between):
            break
        joined.insert(0, boxes.pop())
    return Span(last.start, last.end, ", ".join(span.inside for span in joined))


def _bare_box(text: str) -> Span | None:
    start = text.rfind("\\boxed")
    match = re.match(r"\\boxed +([-0-9.,]*[0-9])", text[start : start + 100]) if start >= 0 else None
    return Span(start, start + match.end(), match[1]) if match else None


def tagged_span(text: str) -> Span | None:
    """The last `<answer>…</answer>`."""
    close = text.rfind("</answer>")
    start = text.rfind("<answer>", 0, close + len("<answer>")) if close >= 0 else -1
    if start < 0:
        return None
    return Span(start, close + len("</answer>"), text[start + len("<answer>") : close])


def _hash_span(text: str) -> Span | None:
    start = text.rfind("####")
    if start < 0:
        return None
    line = text[start + 4 :].partition("\n")[0]
    # Headings of Markdown have as many hashes, and words.
    if not re.match(r" *[-+$\\(]*[0-9\\.]", line):
        return None
    return Span(start, start + 4 + len(line), line)


_ANNOUNCED = re.compile(
    rf"s?(?:[*_]|{_S}){{0,8}}(?:to (?:the|this) [a-z]{{1,20}} )?(?:is|are|was|:|=)(?:[*_:]|{_S}){{0,8}}",
    re.IGNORECASE | re.ASCII,
)


def _announced_answer(text: str) -> str | None:
    lower = re.sub("[A-Z]+", lambda letters: letters[0].lower(), text)
    at = len(lower)
    for _ in range(MAX_PHRASES):
        # The match must begin before `at`, as in JavaScript's lastIndexOf.
        at = lower.rfind("answer", 0, at - 1 + len("answer")) if at > 0 else -1
        if at < 0:
            return None
        begin = at + len("answer")
        rest = text[begin : begin + MAX_LINE]
        phrase = _ANNOUNCED.match(rest)
        value = _first_value(rest[phrase.end() :]) if phrase else None
        if value is not None:
            return value
    return None


def _first_value(text: str) -> str | None:
    """The value with which a sentence begins or, in `6 × 7 = 42`, that it comes to."""
    line = text.partition("\n")[0]
    choice = re.match(r"\(?([A-J])\)?(?![A-Za-z0-9'^_+*/=-])(?! [a-z])", line)
    if choice:
        return choice[1]
    values = _values_in(line)
    if not values:
        return None
    first = last = values[0]
    for following in values[1:]:
        between = line[last.end : following.start]
        listed = re.fullmatch(r", *|,? (?:and|or) ", between)
        if re.fullmatch(r" *(?:[-+*/×·÷=≈−]|\\times|\\cdot|\\approx) *", between) or (
            listed and not re.search("[=≈]", line[first.start : last.end])
        ):
            last = following
        else:
            break
    if last is first:
        return first.inside
    span = line[first.start : last.end]
    return last.inside if re.search(r"[=≈]", span) or "\\approx" in span else span


def _last_value(text: str) -> str | None:
    """The last value of the text: a number with all that belongs to it, or a formula in dollars."""
    end = len(text)
    while end > 0:
        start = text.rfind("\n", 0, end) + 1
        line = text[max(start, end - MAX_LINE) : end]
        # A remark such as "(see step 2)" is not the answer, unless there is nothing else.
        values = _values_in(_without_remarks(line)) or _values_in(line)
        if values:
            return values[-1].inside
        end = start - 1
    return None


def _without_remarks(line: str) -> str:
    def short(remark: re.Match[str]) -> str:
        return " " if re.search("[a-zA-Z]{3}", remark[0]) and "\\" not in remark[0] else remark[0]

    return re.sub(r" \([^()]*\)", short, line)


_FORMULA = re.compile(
    r"\$\$([^$]+)\$\$|\$(?! )((?:[^$\\]|\\[^\n])*?[^$ \\])\$(?![0-9])|\\\((.+?)\\\)|\\\[(.+?)\\\]"
)


def _values_in(line: str) -> list[Span]:
    """Every value in a line, in order."""
    values: list[Span] = []
    at = 0
    for match in _FORMULA.finditer(line) if "$" in line or "\\" in line else ():
        values += _plain_values(line, at, match.start())
        inside = next(group for group in match.groups() if group is not None)
        value = _formula_value(inside)
        if value is not None:
            values.append(Span(match.start(), match.end(), value))
        at = match.end()
    return values + _plain_values(line, at, len(line))


_HAS_VALUE = re.compile(r"[0-9]|π|∞|\\pi|\\infty|\\sqrt|\\emptyset|\\varnothing")


def _formula_value(formula: str) -> str | None:
    """What a formula comes to: its last side. A list of equations, `x=2, y=3`, is kept whole."""
    if not _HAS_VALUE.search(formula):
        return None
    sides = re.split(r"(?<![<>!\\])=|≈|\\approx(?![a-zA-Z])", formula)
    listed = any(re.search(r",(?! *\\?!?[0-9]{3})", side) for side in sides[1:-1])
    if len(sides) == 1 or listed:
        return re.sub(rf"\A{_S}+|{_S}+\Z", "", formula)
    side = next((side for side in reversed(sides) if _HAS_VALUE.search(side)), formula)
    return re.sub(rf"\A{_S}+|{_S}+\Z", "", side)


def _plain_values(line: str, start: int, end: int) -> list[Span]:
    """Values outside formulas, between two positions of the line."""
    values = []
    at = start
    while at < end:
        stop = _value_end(line, at, end)
        if stop > at:
            value = line[at:stop]
            if _HAS_VALUE.search(value):
                values.append(Span(at, stop, value))
            at = stop
            continue
        # A word with its digits, as in `H2O` and `cm^2`, is no value.
        skipped = _WORD.match(line[at : min(end, at + 60)])
        at += skipped.end() if skipped else 1
    return values


_WORD = re.compile(r"[a-zA-Z][a-zA-Z0-9']*(?:\^\{?-?[0-9]+\}?|[²³])?|[\^_]\{?-?\w+\}?", re.ASCII)
_NUMBER = (
    r"(?:[0-9]+(?:(?:,|\{,\}|\\,|,\\!|~|[\u00a0\u2009\u202f])[0-9]+)*(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
)
_GROUP = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
_COMMAND = (
    rf"\\(?:[dtc]?frac *(?:{_GROUP}|[0-9]) *(?:{_GROUP}|[0-9])|sqrt *(?:\[[0-9]+\])? *(?:{_GROUP}|[0-9])"
    r"|pi(?![a-zA-Z])|infty(?![a-zA-Z]))"
)
_ROOT = r"√(?:[0-9]+|\([^()]*\))"
_FACTOR = rf"(?:{_NUMBER}|{_COMMAND}|[π∞]|{_ROOT})"
_POWER = rf"(?:\^(?:{_GROUP}|\([^()]*\)|-?\w+)|_(?:\{{\w+\}}|\w+)|[²³])"
_START = re.compile(rf"(?:[-+−] ?)?(?:\\?[$€£] ?)?(?:{_FACTOR}|[a-zA-Z](?=[-+*/^]))", re.ASCII)
_MORE = re.compile(
    "|".join(
        [
            _POWER,
            rf" ?/ ?(?:{_FACTOR}|\()?(?<=[0-9}}π)])",
            _COMMAND,
            "[π∞]",
            _ROOT,
            r":[0-9]+",
            r" [0-9]+/[0-9]+(?!/)",
            r" ?(?:×|x|\\times|\\cdot|\*|·) ?10\^(?:\{-?[0-9]+\}|-?[0-9]+)",
            r" ?\\?%",
            r" ?°[CF]?|\^\{?\\circ\}?|\\degree",
            rf"[-+*−](?=[0-9(\\a-zA-Z])(?:{_FACTOR}|[a-zA-Z](?![a-zA-Z]))",
        ]
    ),
    re.ASCII,
)
_LETTERS = re.compile("[a-zA-Z]+")
_UNIT_AFTER = re.compile(r" ([a-zA-Z]{2,12})(?:\^\{?-?[0-9]\}?|[²³])?(?![a-zA-Z])")


def _value_end(line: str, at: int, to: int) -> int:
    """Where the value ends that begins at a position; the position itself when none does."""
    rest = line[at : min(to, at + 500)]
    start = _START.match(rest)
    if start is None:
        return at
    # In `10-3` and `x -3` the sign is an operator; so is one with a space after it, unless nothing comes before.
    if rest[0] in "-+−":
        if re.search(r"[\w)}]\Z", line[max(0, at - 2) : at], re.ASCII):
            return at
        if rest[1:2] == " " and not re.search(r"(?:\A|[=(:$]) ?\Z", line[:at]):
            return at
    end = start.end()
    while True:
        more = _MORE.match(rest[end:])
        if more and more[0].strip(" ") not in ("", "/"):
            end += more.end()
            continue
        letters = _LETTERS.match(rest[end:])
        if letters is None or letters[0] in ("st", "nd", "rd", "th"):
            break
        # `2x` and `36cm` go on; in `5and` a word begins.
        if len(letters[0]) > 2 and unit_named(letters[0]) is None:
            break
        end += letters.end()
    unit = _UNIT_AFTER.match(rest[end:])
    if unit and unit[1] != "in" and unit_named(unit[1]) is not None:
        end += unit.end()
    return at + end
