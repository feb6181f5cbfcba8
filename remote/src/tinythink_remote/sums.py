"""Exact arithmetic on sums of terms, as in src/tasks/answers/sums.ts: a term is a rational coefficient times powers of
symbols, primes under roots, and functions. Bounded: whatever grows too large is refused."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import floor

MAX_TERMS = 60
MAX_EXPONENT = 400
MAX_DIGITS = 1500
MAX_TRIAL_FACTOR = 1000

# A term is its coefficient and the exponent of each factor by name; a sum is its terms by the text of their powers.
Powers = dict[str, Fraction]
Sum = dict[str, tuple[Fraction, Powers]]


class Unreadable(ValueError):
    """An expression that can't be read, or whose value is too large."""


def constant(value: Fraction) -> Sum:
    return {"": (value, {})} if value else {}


def symbol(name: str) -> Sum:
    return _sum_of([(Fraction(1), {name: Fraction(1)})])


def as_number(total: Sum) -> Fraction | None:
    if not total:
        return Fraction(0)
    return total[""][0] if len(total) == 1 and "" in total else None


def is_number(total: Sum) -> bool:
    return as_number(total) is not None


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


def serialise(total: Sum) -> str:
    return "+".join(f"{total[key][0]}*{key}" for key in sorted(total)) or "0"


def add(a: Sum, b: Sum) -> Sum:
    return _sum_of([*a.values(), *b.values()])


def negate(a: Sum) -> Sum:
    return times(a, constant(Fraction(-1)))


def times(a: Sum, b: Sum) -> Sum:
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
        coefficient *= rational_power(Fraction(int(name)), whole)
        if exponent != whole:
            kept[name] = exponent - whole
    return coefficient, kept


def inverse(total: Sum) -> Sum:
    return raised(total, constant(Fraction(-1)))


def raised(base: Sum, exponent_sum: Sum) -> Sum:
    exponent = as_number(exponent_sum)
    if exponent is None:
        return symbol(f"({serialise(base)})^({serialise(exponent_sum)})")
    if not base:
        if exponent <= 0:
            raise Unreadable
        return base
    if len(base) == 1:
        return _sum_of([_raised_term(*next(iter(base.values())), exponent)])
    if exponent.denominator == 1 and 0 < exponent <= 8:
        total = base
        for _ in range(1, int(exponent)):
            total = times(total, base)
        return total
    if exponent.denominator == 1:
        # A sum under a fraction bar is scaled, so that 1/(2x+2) is (1/2)/(x+1).
        first = base[min(base)][0]
        name = f"({serialise(times(base, constant(1 / first)))})"
        return _sum_of([(rational_power(first, int(exponent)), {name: exponent})])
    return _sum_of([(Fraction(1), {f"({serialise(base)})": exponent})])


def _raised_term(coefficient: Fraction, powers: Powers, exponent: Fraction) -> tuple[Fraction, Powers]:
    raised_powers = {name: power * exponent for name, power in powers.items()}
    if exponent.denominator == 1:
        return _normal_term(rational_power(coefficient, int(exponent)), raised_powers)
    sign = Fraction(1)
    if coefficient < 0:
        if exponent.denominator % 2 == 1:
            sign = Fraction(1 if exponent.numerator % 2 == 0 else -1)
        elif exponent.denominator == 2:
            raised_powers["i"] = raised_powers.get("i", Fraction(0)) + 1
        else:
            raise Unreadable
    for number, direction in ((abs(coefficient.numerator), 1), (coefficient.denominator, -1)):
        for prime, count in _factors(number):
            raised_powers[prime] = raised_powers.get(prime, Fraction(0)) + direction * count * exponent
    return _normal_term(sign, raised_powers)


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


def factorial(total: Sum) -> Sum:
    number = as_number(total)
    if number is None or number.denominator != 1 or not 0 <= number <= 100:
        return symbol(f"({serialise(total)})!")
    value = 1
    for i in range(2, int(number) + 1):
        value *= i
    return constant(Fraction(value))


def rational_power(base: Fraction, exponent: int) -> Fraction:
    size = abs(exponent)
    digits = len(str(base.numerator)) + len(str(base.denominator))
    if size > MAX_EXPONENT or digits > MAX_DIGITS or (size > 1 and digits * size > MAX_DIGITS):
        raise Unreadable
    if exponent < 0 and base == 0:
        raise Unreadable
    return base**exponent
