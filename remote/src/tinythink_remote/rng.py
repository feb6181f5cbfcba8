"""The seeded generator of src/base/rng.ts, number for number: a server draws the same problems as the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
MASK = 0xFFFFFFFF


class Rng:
    """sfc32 keyed by integers: the same keys give the same stream, different keys give unrelated ones."""

    def __init__(self, *keys: int):
        self._a, self._b, self._c, self._counter = 0x9E3779B9, 0x243F6A88, 0xB7E15162, 1
        for key in keys:
            self._a ^= key & MASK
            self._b = (self._b + (key >> 32)) & MASK
            for _ in range(12):
                self._next32()

    def _next32(self) -> int:
        t = (self._a + self._b + self._counter) & MASK
        self._counter = (self._counter + 1) & MASK
        self._a = self._b ^ (self._b >> 9)
        self._b = (self._c + (self._c << 3)) & MASK
        self._c = ((self._c << 21) | (self._c >> 11)) & MASK
        self._c = (self._c + t) & MASK
        return t

    def next(self) -> float:
        """Uniform in [0, 1), 32 random bits."""
        return self._next32() / 2**32

    def int(self, low: int, high: int) -> int:
        """Uniform integer in [low, high], both included."""
        return low + math.floor(self.next() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """One element of a non-empty list, uniformly."""
        return items[self.int(0, len(items) - 1)]

    def shuffle(self, items: Sequence[T]) -> list[T]:
        """A shuffled copy (Fisher–Yates)."""
        out = list(items)
        for i in range(len(out) - 1, 0, -1):
            j = self.int(0, i)
            out[i], out[j] = out[j], out[i]
        return out
