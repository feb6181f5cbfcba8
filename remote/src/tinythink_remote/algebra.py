"""The normal form of a mathematical expression, as src/tasks/answers/algebra.ts computes it: two spellings of one value
have the same text. It is a sum of terms (sums.py). Exact, bounded, and without evaluating any code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from .sums import (
    Sum,
    Unreadable,
    add,
    as_number,
    constant,
    factorial,
    inverse,
    is_number,
    negate,
    raised,
    rational_power,
    serialise,
    symbol,
    times,
)

MAX_DEPTH = 40

FUNCTIONS = set(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp lg arg gcd lcm max min det".split()
)
WRAPPERS = set("overline bar vec hat underline widehat overrightarrow".split())


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
        return NormalForm(serialise(total), as_number(total), reader.is_calculation)
    except Unreadable:
        return None


def same_equation(equation: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two equations are one, perhaps with sides swapped, rearranged or multiplied by a number."""
    try:
        return _scaled(_difference(equation)) == _scaled(_difference(other))
    except Unreadable:
        return False


def _difference(equation: tuple[str, str]) -> Sum:
    return add(_Reader(equation[0]).all(), negate(_Reader(equation[1]).all()))


def _scaled(total: Sum) -> str:
    if not total:
        return ""
    return serialise(times(total, constant(1 / total[min(total)][0])))


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
            if is_number(total) and is_number(following):
                self.is_calculation = True
            total = add(total, following if sign == "+" else negate(following))
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
                if is_number(total) and is_number(factor) and not power_of_ten:
                    self.is_calculation = True
                total = times(total, factor)
            elif following == "/":
                self.at += 1
                total = times(total, inverse(self.signed()))
            elif self.starts_factor(following):
                # Two numbers side by side are no product.
                if _is_digit(following):
                    raise Unreadable
                factor = self.power()
                if is_number(total) and is_number(factor):
                    self.is_calculation = True
                total = times(total, factor)
            else:
                return negate(total) if negative else total

    def signed(self) -> Sum:
        if self.peek() != "-":
            return self.power()
        self.at += 1
        return negate(self.power())

    @staticmethod
    def starts_factor(following: str) -> bool:
        return following != "" and (_is_digit(following) or _is_letter(following) or following in '([{\\.π∞"')

    def power(self) -> Sum:
        base = self.atom()
        while True:
            following = self.peek()
            if following == "!":
                self.at += 1
                base = factorial(base)
            elif following == "^":
                self.at += 1
                base = raised(base, self.exponent())
            else:
                return base

    def exponent(self) -> Sum:
        negative = False
        while self.peek() == "-":
            self.at += 1
            negative = not negative
        value = self.atom()
        return negate(value) if negative else value

    def atom(self) -> Sum:
        following = self.peek()
        if _is_digit(following) or following == ".":
            return self.mixed(self.number())
        if following and following in "({[":
            return self.group({"(": ")", "{": "}", "[": "]"}[following])
        if following in ("π", "∞"):
            self.at += 1
            return symbol(following)
        if _is_letter(following):
            self.at += 1
            return symbol(following + self.subscript())
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
        return self.in_base(inside) if self.here() == "_" and is_number(inside) else inside

    def absolute(self) -> Sum:
        self.at += 1
        inside = self.sum()
        if self.peek() != "|":
            raise Unreadable
        self.at += 1
        number = as_number(inside)
        return symbol(f"|{serialise(inside)}|") if number is None else constant(abs(number))

    def number(self) -> Sum:
        match = re.compile(r"(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d{1,4})(?![\d^]))?", re.ASCII).match(self.text, self.at)
        assert match is not None
        whole, part = match[1], match[2] or ""
        if not whole and not part:
            raise Unreadable
        self.at = match.end()
        value = Fraction(int(whole + part), 10 ** len(part))
        total = constant(value * rational_power(Fraction(10), int(match[3] or 0)))
        return self.in_base(total) if self.here() == "_" else total

    def mixed(self, whole: Sum) -> Sum:
        pattern = r"[ ~]*\\frac(?:\{(\d+)\}|(\d))[ ~]*(?:\{(\d+)\}|(\d))|[ ~]+(\d+)/(\d+)"
        match = re.compile(pattern, re.ASCII).match(self.text, self.at)
        number = as_number(whole)
        if match is None or number is None or number.denominator != 1:
            return whole
        top = int(match[1] or match[2] or match[5])
        bottom = int(match[3] or match[4] or match[6])
        if bottom == 0:
            raise Unreadable
        self.at = match.end()
        return add(whole, constant(Fraction(top, bottom)))

    def in_base(self, number: Sum) -> Sum:
        return symbol(f"{serialise(number)}{self.subscript()}")

    def subscript(self) -> str:
        if self.here() != "_":
            return ""
        self.at += 1
        return f"_({serialise(self.argument(whole_number=True))})"

    def argument(self, whole_number: bool = False) -> Sum:
        following = self.peek()
        if following == "{":
            return self.group("}")
        if _is_digit(following):
            start = self.at
            self.at += 1
            while whole_number and _is_digit(self.here()):
                self.at += 1
            return constant(Fraction(int(self.text[start : self.at])))
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
            return times(top, inverse(self.argument()))
        if name == "sqrt":
            root = Fraction(2)
            if self.peek() == "[":
                index = as_number(self.group("]"))
                if not index:
                    raise Unreadable
                root = index
            radicand = self.group(")") if self.peek() == "(" else self.argument()
            return raised(radicand, constant(1 / root))
        if name == "binom":
            top = serialise(self.argument())
            return symbol(f"binom({top};{serialise(self.argument())})")
        if name in WRAPPERS:
            return symbol(f"{name}({serialise(self.argument())})")
        if name in FUNCTIONS:
            base = self.subscript()
            exponent = None
            if self.peek() == "^":
                self.at += 1
                exponent = self.argument()
            value = symbol(f"{name}{base}({serialise(self.function_argument())})")
            return value if exponent is None else raised(value, exponent)
        if name:
            return symbol(f"\\{name}{self.subscript()}")
        raise Unreadable

    def function_argument(self) -> Sum:
        following = self.peek()
        if following == "(":
            return self.group(")")
        if following == "{":
            return self.group("}")
        total = self.power()
        while self.starts_factor(following := self.peek()) and not _is_digit(following) and following not in "(\\":
            total = times(total, self.power())
        return total


def _is_digit(character: str) -> bool:
    return len(character) == 1 and "0" <= character <= "9"


def _is_letter(character: str) -> bool:
    return len(character) == 1 and character.isascii() and character.isalpha()
