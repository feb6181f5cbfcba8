"""The normal form of a mathematical expression, as src/tasks/answers/algebra.ts computes it: two spellings of one value
have the same text. Exact, bounded, and without evaluating any code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import floor

MAX_DEPTH = 40
MAX_TERMS = 60
MAX_EXPONENT = 400
MAX_DIGITS = 1500
MAX_TRIAL_FACTOR = 1000

FUNCTIONS = set(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp lg arg gcd lcm max min det".split()
)
WRAPPERS = set("overline bar vec hat underline widehat overrightarrow".split())

# A term is its coefficient and the exponent of each factor by name; a sum is its terms by the text of their powers.
Powers = dict[str, Fraction]
Sum = dict[str, tuple[Fraction, Powers]]


class Unreadable(ValueError):
    """The text is not an expression that can be read."""


@dataclass(frozen=True)
class NormalForm:
    # Equal texts mean equal values.
    text: str
    # The value when the expression is a plain rational number.
    number: Fraction | None
    # Whether plain numbers are still to be added or multiplied in it: a calculation, not yet a result.
    is_calculation: bool


def normal_form(expression: str) -> NormalForm | None:
    """The normal form of an expression in plain notation; None when it cannot be read as one."""
    try:
        reader = _Reader(expression)
        total = reader.all()
        return NormalForm(_serialise(total), _as_number(total), reader.is_calculation)
    except Unreadable:
        return None


def same_equation(equation: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two equations are one, perhaps with sides swapped, rearranged or multiplied by a number."""
    try:
        return _scaled(_difference(equation)) == _scaled(_difference(other))
    except Unreadable:
        return False


def _difference(equation: tuple[str, str]) -> Sum:
    return _add(_Reader(equation[0]).all(), _negate(_Reader(equation[1]).all()))


def _scaled(total: Sum) -> str:
    if not total:
        return ""
    return _serialise(_times(total, _constant(1 / total[min(total)][0])))


class _Reader:
    """Recursive descent over the text; every method leaves `at` behind what it has read."""

    def __init__(self, text: str):
        self.text = text
        self.at = 0
        self.depth = 0
        self.is_calculation = False

    def all(self) -> Sum:
        total = self.sum()
        self.space()
        if self.at < len(self.text):
            raise Unreadable
        return total

    def here(self) -> str:
        return self.text[self.at : self.at + 1]

    def peek(self) -> str:
        self.space()
        return self.here()

    def space(self) -> None:
        while self.here() in (" ", "~"):
            self.at += 1

    def sum(self) -> Sum:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable
        total = self.product()
        while (sign := self.peek()) in ("+", "-"):
            self.at += 1
            following = self.product()
            if _is_number(total) and _is_number(following):
                self.is_calculation = True
            total = _add(total, following if sign == "+" else _negate(following))
        self.depth -= 1
        return total

    def product(self) -> Sum:
        negative = False
        while self.peek() in ("-", "+"):
            negative ^= self.here() == "-"
            self.at += 1
        total = self.power()
        while True:
            following = self.peek()
            if following == "*":
                self.at += 1
                start = self.at
                factor = self.signed()
                power_of_ten = re.match(r"\s*10\s*\^", self.text[start : self.at], re.ASCII)
                if _is_number(total) and _is_number(factor) and not power_of_ten:
                    self.is_calculation = True
                total = _times(total, factor)
            elif following == "/":
                self.at += 1
                total = _times(total, _inverse(self.signed()))
            elif self.starts_factor(following):
                # Two numbers side by side are no product.
                if _is_digit(following):
                    raise Unreadable
                factor = self.power()
                if _is_number(total) and _is_number(factor):
                    self.is_calculation = True
                total = _times(total, factor)
            else:
                return _negate(total) if negative else total

    def signed(self) -> Sum:
        if self.peek() != "-":
            return self.power()
        self.at += 1
        return _negate(self.power())

    @staticmethod
    def starts_factor(following: str) -> bool:
        return following != "" and (_is_digit(following) or _is_letter(following) or following in '([{\\.π∞"')

    def power(self) -> Sum:
        base = self.atom()
        while True:
            following = self.peek()
            if following == "!":
                self.at += 1
                base = _factorial(base)
            elif following == "^":
                self.at += 1
                base = _raised(base, self.exponent())
            else:
                return base

    def exponent(self) -> Sum:
        negative = False
        while self.peek() == "-":
            self.at += 1
            negative = not negative
        value = self.atom()
        return _negate(value) if negative else value

    def atom(self) -> Sum:
        following = self.peek()
        if _is_digit(following) or following == ".":
            return self.mixed(self.number())
        if following and following in "({[":
            return self.group({"(": ")", "{": "}", "[": "]"}[following])
        if following in ("π", "∞"):
            self.at += 1
            return _symbol(following)
        if _is_letter(following):
            self.at += 1
            return _symbol(following + self.subscript())
        if following == "\\":
            return self.command()
        if following == "|":
            return self.absolute()
        raise Unreadable

    def group(self, close: str) -> Sum:
        self.at += 1
        inside = self.sum()
        if self.peek() != close:
            raise Unreadable
        self.at += 1
        return self.in_base(inside) if self.here() == "_" and _is_number(inside) else inside

    def absolute(self) -> Sum:
        self.at += 1
        inside = self.sum()
        if self.peek() != "|":
            raise Unreadable
        self.at += 1
        number = _as_number(inside)
        return _symbol(f"|{_serialise(inside)}|") if number is None else _constant(abs(number))

    def number(self) -> Sum:
        match = re.compile(r"(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d{1,4})(?![\d^]))?", re.ASCII).match(self.text, self.at)
        assert match is not None
        whole, part = match[1], match[2] or ""
        if not whole and not part:
            raise Unreadable
        self.at = match.end()
        value = Fraction(int(whole + part), 10 ** len(part))
        total = _constant(value * _rational_power(Fraction(10), int(match[3] or 0)))
        return self.in_base(total) if self.here() == "_" else total

    def mixed(self, whole: Sum) -> Sum:
        pattern = r"[ ~]*\\frac(?:\{(\d+)\}|(\d))[ ~]*(?:\{(\d+)\}|(\d))|[ ~]+(\d+)/(\d+)"
        match = re.compile(pattern, re.ASCII).match(self.text, self.at)
        number = _as_number(whole)
        if match is None or number is None or number.denominator != 1:
            return whole
        top = int(match[1] or match[2] or match[5])
        bottom = int(match[3] or match[4] or match[6])
        if bottom == 0:
            raise Unreadable
        self.at = match.end()
        return _add(whole, _constant(Fraction(top, bottom)))

    def in_base(self, number: Sum) -> Sum:
        return _symbol(f"{_serialise(number)}{self.subscript()}")

    def subscript(self) -> str:
        if self.here() != "_":
            return ""
        self.at += 1
        return f"_({_serialise(self.argument(whole_number=True))})"

    def argument(self, whole_number: bool = False) -> Sum:
        following = self.peek()
        if following == "{":
            return self.group("}")
        if _is_digit(following):
            start = self.at
            self.at += 1
            while whole_number and _is_digit(self.here()):
                self.at += 1
            return _constant(Fraction(int(self.text[start : self.at])))
        return self.atom()

    def command(self) -> Sum:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable
        match = re.compile(r"\\([a-zA-Z]*)").match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        value = self.command_value(match[1])
        self.depth -= 1
        return value

    def command_value(self, name: str) -> Sum:
        if name == "frac":
            top = self.argument()
            return _times(top, _inverse(self.argument()))
        if name == "sqrt":
            root = Fraction(2)
            if self.peek() == "[":
                index = _as_number(self.group("]"))
                if not index:
                    raise Unreadable
                root = index
            radicand = self.group(")") if self.peek() == "(" else self.argument()
            return _raised(radicand, _constant(1 / root))
        if name == "binom":
            top = _serialise(self.argument())
            return _symbol(f"binom({top};{_serialise(self.argument())})")
        if name in WRAPPERS:
            return _symbol(f"{name}({_serialise(self.argument())})")
        if name in FUNCTIONS:
            base = self.subscript()
            exponent = None
            if self.peek() == "^":
                self.at += 1
                exponent = self.argument()
            value = _symbol(f"{name}{base}({_serialise(self.function_argument())})")
            return value if exponent is None else _raised(value, exponent)
        if name:
            return _symbol(f"\\{name}{self.subscript()}")
        raise Unreadable

    def function_argument(self) -> Sum:
        following = self.peek()
        if following == "(":
            return self.group(")")
        if following == "{":
            return self.group("}")
        total = self.power()
        while self.starts_factor(following := self.peek()) and not _is_digit(following) and following not in "(\\":
            total = _times(total, self.power())
        return total


def _is_digit(character: str) -> bool:
    return len(character) == 1 and "0" <= character <= "9"


def _is_letter(character: str) -> bool:
    return len(character) == 1 and character.isascii() and character.isalpha()


def _constant(value: Fraction) -> Sum:
    return {"": (value, {})} if value else {}


def _symbol(name: str) -> Sum:
    return _sum_of([(Fraction(1), {name: Fraction(1)})])


def _as_number(total: Sum) -> Fraction | None:
    if not total:
        return Fraction(0)
    return total[""][0] if len(total) == 1 and "" in total else None


def _is_number(total: Sum) -> bool:
    return _as_number(total) is not None


def _sum_of(terms: Iterable[tuple[Fraction, Powers]]) -> Sum:
    total: Sum = {}
    for coefficient, powers in terms:
        key = "*".join(sorted(f"{name}^{exponent}" for name, exponent in powers.items() if exponent))
        if key in total:
            coefficient += total[key][0]
        if coefficient:
            total[key] = (coefficient, powers)
        else:
            total.pop(key, None)
    if len(total) > MAX_TERMS:
        raise Unreadable
    return total


def _serialise(total: Sum) -> str:
    return "+".join(f"{total[key][0]}*{key}" for key in sorted(total)) or "0"


def _add(a: Sum, b: Sum) -> Sum:
    return _sum_of([*a.values(), *b.values()])


def _negate(a: Sum) -> Sum:
    return _times(a, _constant(Fraction(-1)))


def _times(a: Sum, b: Sum) -> Sum:
    if len(a) * len(b) > MAX_TERMS * 4:
        raise Unreadable
    return _sum_of(_times_term(x, y) for x in a.values() for y in b.values())


def _times_term(x: tuple[Fraction, Powers], y: tuple[Fraction, Powers]) -> tuple[Fraction, Powers]:
    powers = dict(x[1])
    for name, exponent in y[1].items():
        powers[name] = powers.get(name, Fraction(0)) + exponent
    return _normal_term(x[0] * y[0], powers)


def _normal_term(coefficient: Fraction, powers: Powers) -> tuple[Fraction, Powers]:
    """Whole powers of the numbers under roots go to the coefficient, so that 1/√3 is √3/3."""
    kept: Powers = {}
    for name, exponent in powers.items():
        if not (name.isascii() and name.isdigit()):
            kept[name] = exponent
            continue
        whole = floor(exponent)
        coefficient *= _rational_power(Fraction(int(name)), whole)
        if exponent != whole:
            kept[name] = exponent - whole
    return coefficient, kept


def _inverse(total: Sum) -> Sum:
    return _raised(total, _constant(Fraction(-1)))


def _raised(base: Sum, exponent_sum: Sum) -> Sum:
    exponent = _as_number(exponent_sum)
    if exponent is None:
        return _symbol(f"({_serialise(base)})^({_serialise(exponent_sum)})")
    if not base:
        if exponent <= 0:
            raise Unreadable
        return base
    if len(base) == 1:
        return _sum_of([_raised_term(*next(iter(base.values())), exponent)])
    if exponent.denominator == 1 and 0 < exponent <= 8:
        total = base
        for _ in range(1, int(exponent)):
            total = _times(total, base)
        return total
    if exponent.denominator == 1:
        # A sum under a fraction bar is scaled, so that 1/(2x+2) is (1/2)/(x+1).
        first = base[min(base)][0]
        name = f"({_serialise(_times(base, _constant(1 / first)))})"
        return _sum_of([(_rational_power(first, int(exponent)), {name: exponent})])
    return _sum_of([(Fraction(1), {f"({_serialise(base)})": exponent})])


def _raised_term(coefficient: Fraction, powers: Powers, exponent: Fraction) -> tuple[Fraction, Powers]:
    raised = {name: power * exponent for name, power in powers.items()}
    if exponent.denominator == 1:
        return _normal_term(_rational_power(coefficient, int(exponent)), raised)
    sign = Fraction(1)
    if coefficient < 0:
        if exponent.denominator % 2 == 1:
            sign = Fraction(1 if exponent.numerator % 2 == 0 else -1)
        elif exponent.denominator == 2:
            raised["i"] = raised.get("i", Fraction(0)) + 1
        else:
            raise Unreadable
    for number, direction in ((abs(coefficient.numerator), 1), (coefficient.denominator, -1)):
        for prime, count in _factors(number):
            raised[prime] = raised.get(prime, Fraction(0)) + direction * count * exponent
    return _normal_term(sign, raised)


def _factors(number: int) -> list[tuple[str, int]]:
    """Prime factors with their counts; a large rest without small factors counts as one."""
    found = []
    factor = 2
    while factor <= MAX_TRIAL_FACTOR and factor * factor <= number:
        count = 0
        while number % factor == 0:
            number //= factor
            count += 1
        if count:
            found.append((str(factor), count))
        factor += 1
    if number > 1:
        found.append((str(number), 1))
    return found


def _factorial(total: Sum) -> Sum:
    number = _as_number(total)
    if number is None or number.denominator != 1 or not 0 <= number <= 100:
        return _symbol(f"({_serialise(total)})!")
    value = 1
    for i in range(2, int(number) + 1):
        value *= i
    return _constant(Fraction(value))


def _rational_power(base: Fraction, exponent: int) -> Fraction:
    size = abs(exponent)
    digits = len(str(base.numerator)) + len(str(base.denominator))
    if size > MAX_EXPONENT or digits > MAX_DIGITS or (size > 1 and digits * size > MAX_DIGITS):
        raise Unreadable
    if exponent < 0 and base == 0:
        raise Unreadable
    return base**exponent
