"""Evaluates a small integer expression that a model wrote, as src/tasks/expression.ts does: no eval, never raises."""

from __future__ import annotations

from typing import NamedTuple

MAX_LENGTH = 64
LARGEST_EXACT = 2**53 - 1


class Evaluated(NamedTuple):
    value: int
    # The numbers written, in order.
    numbers: list[int]


class _Malformed(Exception):
    pass


def evaluate(text: str) -> Evaluated | None:
    """Value of an expression of one- and two-digit numbers, `+ - *` and parentheses; no spaces, signs, leading zeros.

    None if it is anything else, or so large that JavaScript's numbers would no longer be exact.
    """
    # JavaScript counts UTF-16 units, and so must the limit; a text with other characters is refused below anyway.
    if len(text) > MAX_LENGTH:
        return None
    numbers: list[int] = []
    at = 0

    def peek() -> str:
        return text[at] if at < len(text) else ""

    def atom() -> int:
        nonlocal at
        if peek() == "(":
            at += 1
            value = sum_of_products()
            if peek() != ")":
                raise _Malformed
            at += 1
            return value
        start = at
        while peek() and peek() in "0123456789":
            at += 1
        digits = text[start:at]
        if not 1 <= len(digits) <= 2 or (len(digits) > 1 and digits[0] == "0"):
            raise _Malformed
        numbers.append(int(digits))
        return numbers[-1]

    def product() -> int:
        nonlocal at
        value = atom()
        while peek() == "*":
            at += 1
            value *= atom()
        return value

    def sum_of_products() -> int:
        nonlocal at
        value = product()
        while peek() in ("+", "-"):
            sign = 1 if peek() == "+" else -1
            at += 1
            value += sign * product()
        return value

    try:
        value = sum_of_products()
    except _Malformed:
        return None
    return Evaluated(value, numbers) if at == len(text) and abs(value) <= LARGEST_EXACT else None
