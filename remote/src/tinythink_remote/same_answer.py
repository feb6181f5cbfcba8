"""Whether two final answers say the same, as src/tasks/answers/same-answer.ts decides: numbers, fractions, roots,
polynomials and lists by value, exactly; words by their letters. Text is never evaluated as code."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .algebra import normal_form, same_equation
from .notation import join_thousands, to_plain_notation, unit_named
from .text import trim

MAX_LENGTH = 500
MAX_DEPTH = 12
OPEN, CLOSE = "([{", ")]}"


def same_answer(given: str, reference: str) -> bool:
    """Whether an answer (hostile text) says what the reference says. A calculation that the reference doesn't have,
    such as `3+4` against `7`, is not an answer."""
    if trim(given) == trim(reference):
        return trim(given) != ""
    if len(given) > MAX_LENGTH or len(reference) > MAX_LENGTH:
        return False
    a = _without_dressing(to_plain_notation(given))
    b = _without_dressing(to_plain_notation(reference))
    if _same_text(join_thousands(a), join_thousands(b), 0):
        return True
    # In brackets, `(1,234)` may be a pair as well as a number.
    return bool(re.match(r"\\\{|[(\[]", a)) and _same_text(a.replace("~", " "), b.replace("~", " "), 0)


def _without_dressing(text: str) -> str:
    bare = re.sub(r"\A[*_ ]+|[*_ .]+\Z", "", text)
    introduced = re.match(r'.*"answer" *(?:"is"|:|=)? *:? *', bare, re.IGNORECASE | re.DOTALL)
    if introduced and introduced.end() < len(bare):
        bare = bare[introduced.end() :]
    words = r'\A(?:"(?:about|approximately|roughly|exactly|is|so|thus|therefore|hence)" *)+(?=[^ ])'
    bare = re.sub(words, "", bare, flags=re.IGNORECASE)
    return re.sub(r"\A[*_ ]+|[*_ .]+\Z", "", bare)


@dataclass
class _List:
    items: list[str]
    # The opening and the closing bracket; empty for a list without.
    brackets: str = ""
    is_set: bool = False


def _same_text(a: str, b: str, depth: int) -> bool:
    if depth > MAX_DEPTH:
        return False
    given, reference = _list_of(a), _list_of(b)
    # A set with one member is that member.
    if len(given.items) == len(reference.items) == 1 and (given.is_set or reference.is_set):
        if given.is_set and reference.is_set:
            return _same_text(given.items[0], reference.items[0], depth + 1)
        return _same_element(
            given.items[0] if given.is_set else a, reference.items[0] if reference.is_set else b, depth
        )
    if len(given.items) < 2 and len(reference.items) < 2:
        return _same_element(a, b, depth)
    if len(given.items) != len(reference.items):
        return False
    if all(each.is_set or each.brackets == "" for each in (given, reference)):
        return _same_members(given.items, reference.items, depth)
    if given.brackets != reference.brackets:
        return False
    return all(_same_text(x, y, depth + 1) for x, y in zip(given.items, reference.items, strict=True))


def _same_members(items: list[str], others: list[str], depth: int) -> bool:
    """Whether each item has a partner of its own among the others."""
    if len(items) > 60:
        return all(_same_text(x, y, depth + 1) for x, y in zip(items, others, strict=True))
    left = list(others)
    for item in items:
        at = next((i for i, other in enumerate(left) if _same_text(item, other, depth + 1)), None)
        if at is None:
            return False
        left.pop(at)
    return True


def _list_of(text: str) -> _List:
    """The parts of `2,9`, `(1,2]`, `\\{1,2\\}`, `2 or 9`, `±3` and `[0,1)∪(2,3)`; a single value is a list of one."""
    union = _split_outside(text, "∪")
    if len(union) > 1:
        return _List(union, is_set=True)
    bare = _split_items(text)
    if len(bare) > 1:
        return _List(_with_names(bare))
    if "±" in text:
        return _List([text.replace("±", sign) for sign in "+-"])
    # `x ∈ {2,5}` names the set first.
    value = re.sub(r"\A[a-zA-Z] *(?:∈|=) *(?=\\\{|[(\[])", "", text).strip(" ")
    match = re.match(r"(\\\{|[(\[{])(.*?)(\\\}|[)\]}])\Z", value)
    if match is None or not _wraps_all(value):
        return _List([text])
    is_set = (match[1], match[3]) == ("\\{", "\\}")
    items = _split_items(match[2])
    if len(items) < 2 and not is_set:
        return _List([text])
    # Braces that only group are no brackets.
    return _List(items, "" if match[1] == "{" else match[1] + match[3], is_set)


def _with_names(items: list[str]) -> list[str]:
    """In `x=2, 5` the second value has the name of the first; one name that all values have is left out."""
    names = [re.match(r"([a-zA-Z](?:_[a-zA-Z0-9{}]+)?) *= *", item) for item in items]
    first = names[0]
    if first is None or any(name is not None and name[1] != first[1] for name in names):
        return items
    return [item[name.end() if name else 0 :] for item, name in zip(items, names, strict=True)]


def _wraps_all(text: str) -> bool:
    """Whether the bracket at the start closes at the very end."""
    depth = 0
    for i, character in enumerate(text):
        if character in OPEN:
            depth += 1
        elif character in CLOSE:
            depth -= 1
            if depth == 0 and i < len(text) - 1:
                return False
    return depth == 0


def _split_items(text: str) -> list[str]:
    rows = _split_outside(text, ";")
    if len(rows) > 1:
        return rows
    return _split_outside(re.sub('"(?:and|or)"', ",", text, flags=re.IGNORECASE), ",")


def _split_outside(text: str, separator: str) -> list[str]:
    """Splits at a separator outside brackets; empty parts are left out."""
    parts = []
    depth = start = 0
    for i, character in enumerate(text):
        if character in OPEN:
            depth += 1
        elif character in CLOSE:
            depth -= 1
        elif character == separator and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    parts.append(text[start:])
    return [trimmed for part in parts if (trimmed := trim(part))]


@dataclass
class _Relation:
    sides: list[str]
    operators: list[str]


def _same_element(given: str, reference: str, depth: int) -> bool:
    a, b = _relation_of(given), _relation_of(reference)
    if a and b:
        return _same_relation(a, b, depth)
    x, y = _value_of(a, given), _value_of(b, reference)
    if x is None or y is None:
        return False
    # `x∈[-1,4]` leaves an interval.
    if (a or b) and depth < MAX_DEPTH and len(_list_of(x).items) + len(_list_of(y).items) > 2:
        return _same_text(x, y, depth + 1)
    return _same_quantity(x, y)


def _value_of(relation: _Relation | None, text: str) -> str | None:
    if relation is None:
        return text
    return relation.sides[-1] if relation.operators[-1] in "=∈≈" else None


def _relation_of(text: str) -> _Relation | None:
    """`a = b`, `a < b ≤ c`; None for a value alone."""
    sides, operators = [], []
    depth = start = i = 0
    while i < len(text):
        character = text[i]
        if character in OPEN:
            depth += 1
        elif character in CLOSE:
            depth -= 1
        elif depth == 0 and character in "=<>≤≥≠≈∈":
            sides.append(trim(text[start:i]))
            if character in "<>" and text[i + 1 : i + 2] == "=":
                character = "≤" if character == "<" else "≥"
                i += 1
            operators.append(character)
            start = i + 1
        i += 1
    return _Relation([*sides, trim(text[start:])], operators) if operators else None


FLIPPED = {"<": ">", ">": "<", "≤": "≥", "≥": "≤"}


def _same_relation(a: _Relation, b: _Relation, depth: int) -> bool:
    if set(a.operators) == set(b.operators) == {"="}:
        left, right = (a.sides[-2], a.sides[-1]), (b.sides[-2], b.sides[-1])
        if _same_quantity(left[0], right[0]) and _same_text(left[1], right[1], depth + 1):
            return True
        return same_equation(left, right)

    def matches(operators: list[str], sides: list[str]) -> bool:
        return a.operators == operators and all(
            x == y or _same_quantity(x, y) for x, y in zip(a.sides, sides, strict=True)
        )

    turned = [FLIPPED.get(operator, operator) for operator in reversed(b.operators)]
    return matches(b.operators, b.sides) or matches(turned, b.sides[::-1])


@dataclass
class _Quantity:
    value: str
    # Known units in short form; None without a unit, or with words that are no known unit.
    unit: str | None = None
    is_percent: bool = False


_UNITS = re.compile(r'(?: *(?:[/*] *)?(?:"[^"]*"|°|%)(?: *\^(?:\{-?[0-9]\}|-?[0-9]))?)+[ .]*\Z')
_UNIT = re.compile(r'([/*]?) *(?:"([^"]*)"|(°|%))(?: *(\^(?:\{-?[0-9]\}|-?[0-9])))?')


def _quantity_of(text: str) -> _Quantity:
    """A value, and the unit that follows it."""
    units = _UNITS.search(text)
    value = trim(text[: units.start()]) if units else text
    # A word alone is the answer, not a unit, and so is one that follows another word.
    if units is None or not re.search(r"[0-9π∞a-zA-Z)}]\Z", value) or '"' in value:
        return _Quantity(text)
    names = []
    for sign, word, mark, power in _UNIT.findall(units[0]):
        name = unit_named(mark or word)
        if name is None:
            return _Quantity(value)
        names.append(sign.replace("*", "") + name + re.sub("[{}]", "", power))
    unit = " ".join(names)
    return _Quantity(value, unit, unit == "percent")


def _same_quantity(given: str, reference: str) -> bool:
    a, b = _quantity_of(given), _quantity_of(reference)
    if a.unit is not None and b.unit is not None and a.unit != b.unit:
        return False
    if a.value == b.value:
        return a.value != ""
    choice, other = _choice_of(a.value), _choice_of(b.value)
    if choice and other:
        return choice == other
    x, y = normal_form(a.value), normal_form(b.value)
    if x is None or y is None:
        return x is None and y is None and _same_words(a.value, b.value)
    if x.is_calculation and not y.is_calculation:
        return False
    if x.text == y.text:
        return True
    # 36% is 36 of a hundred.
    if a.is_percent == b.is_percent or x.number is None or y.number is None:
        return False
    percent, plain = (x.number, y.number) if a.is_percent else (y.number, x.number)
    return percent == plain * 100


def _choice_of(text: str) -> str | None:
    """`(b)` and `B` are one choice of a list; a letter without parentheses may be a symbol, whose case counts."""
    match = re.fullmatch(r"\( *([a-zA-Z]) *\)", text)
    return match[1].upper() if match else text if re.fullmatch("[A-Z]", text) else None


def _same_words(a: str, b: str) -> bool:
    return _spelling(a) == _spelling(b) != ""


def _spelling(text: str) -> str:
    """As written, apart from spaces and, in words, capitals."""
    bare = re.sub('"[^"]*"', lambda word: word[0].lower(), text)
    bare = re.sub("([0-9]) +(?=[0-9])", r"\1_", bare)
    return re.sub("[.!]+\\Z", "", re.sub("[\"' ]", "", bare))
