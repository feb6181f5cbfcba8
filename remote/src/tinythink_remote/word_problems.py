"""Word problems from templates, sentence for sentence those of src/tasks/word-problems.ts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .answer import only_value, same_answer
from .rng import Rng

NAMES = ("Mia", "Tom", "Ada", "Omar", "Lena", "Ravi", "Sofia", "Jun", "Nora", "Paul")

INSTRUCTION = (
    "Think step by step between <think> and </think>. Then give only the final number between <answer> and </answer>."
)
# Longer answers are not looked at.
MAX_ANSWER = 200


class Event(NamedTuple):
    """A sentence, and what it does to the quantity so far."""

    text: str
    expression: str
    value: int


# Templates have {who}, and {n}, or {x} and {y} in an opening.
Writer = Callable[[Rng, int, str], "Event | None"]


class Story(NamedTuple):
    opening: Callable[[Rng, str], Event]
    events: tuple[Writer, ...]
    question: str


def _more(low: int, high: int, text: str) -> Writer:
    def write(rng: Rng, total: int, who: str) -> Event:
        n = rng.int(low, high)
        return Event(text.format(n=n, who=who), f"{total}+{n}", total + n)

    return write


def _less(low: int, high: int, text: str) -> Writer:
    def write(rng: Rng, total: int, who: str) -> Event | None:
        if total <= low:
            return None
        n = rng.int(low, min(high, total - 1))
        return Event(text.format(n=n, who=who), f"{total}-{n}", total - n)

    return write


def _shared(text: str) -> Writer:
    def write(rng: Rng, total: int, who: str) -> Event | None:
        parts = [count for count in (2, 3, 4, 5) if total % count == 0 and total > count]
        if not parts:
            return None
        n = rng.pick(parts)
        return Event(text.format(n=n, who=who), f"{total}/{n}", total // n)

    return write


def _times(low: int, high: int, text: str) -> Writer:
    def write(rng: Rng, total: int, who: str) -> Event | None:
        if total > 400:
            return None
        n = rng.int(low, high)
        return Event(text.format(n=n, who=who), f"{total}*{n}", total * n)

    return write


def _product(a: tuple[int, int], b: tuple[int, int], text: str) -> Callable[[Rng, str], Event]:
    def write(rng: Rng, who: str) -> Event:
        x, y = rng.int(*a), rng.int(*b)
        return Event(text.format(x=x, y=y, who=who), f"{x}*{y}", x * y)

    return write


STORIES = (
    Story(
        _product((3, 9), (4, 12), "{who} buys {x} boxes with {y} marbles each."),
        (
            _more(5, 40, "Then {who} finds {n} more marbles at home."),
            _less(3, 30, "{who} gives {n} marbles to a friend."),
            _shared("{who} sorts the marbles into {n} equal bags and keeps only one of the bags."),
            _times(2, 3, "At a game {who} wins until there are {n} times as many marbles."),
        ),
        "How many marbles does {who} have now?",
    ),
    Story(
        _product((2, 8), (9, 25), "{who} works {x} hours for {y} dollars an hour."),
        (
            _more(5, 60, "On the way home {who} sells an old bicycle part for {n} dollars."),
            _less(5, 50, "{who} spends {n} dollars on food."),
            _shared("{who} divides the money equally among {n} people, of whom {who} is one."),
            _times(2, 4, "{who} earns the same amount again and again, until there is {n} times the money."),
        ),
        "How many dollars does {who} have at the end?",
    ),
    Story(
        _product((4, 12), (6, 15), "A theatre has {x} rows with {y} seats each, and every seat is taken."),
        (
            _more(4, 30, "For {n} more guests chairs are put beside the rows."),
            _less(4, 30, "In the break {n} guests go home."),
            _shared("The guests who are left form {n} equal groups, and all groups but one leave."),
        ),
        "How many guests are in the theatre now?",
    ),
    Story(
        _product((2, 6), (40, 95), "{who} drives for {x} hours at {y} km an hour."),
        (
            _more(10, 90, "After a rest there are {n} km more to the hotel."),
            _times(2, 3, "{who} makes this whole trip {n} times in all."),
            _more(5, 40, "By mistake {who} drives a detour of {n} km."),
        ),
        "How many kilometres does {who} drive altogether?",
    ),
    Story(
        _product((3, 9), (12, 30), "{who} bakes {x} trays with {y} rolls each."),
        (
            _less(5, 60, "In the morning {who} sells {n} rolls."),
            _more(6, 36, "At noon {who} bakes {n} rolls more."),
            _shared("{who} packs the rolls into {n} equal crates and sends away all crates but one."),
        ),
        "How many rolls does {who} have left?",
    ),
    Story(
        _product((5, 14), (3, 9), "{who} reads {x} pages a day for {y} days."),
        (
            _more(8, 45, "At the weekend {who} reads {n} pages more."),
            _times(2, 3, "The next month {who} reads on, until the number of pages is {n} times as large."),
            _less(3, 20, "But {n} of the pages were read twice and shall not be counted."),
        ),
        "How many pages has {who} read?",
    ),
)


def generate(rng: Rng, difficulty: int) -> tuple[str, str, list[tuple[str, str]]]:
    """Prompt, answer and steps."""
    story = rng.pick(STORIES)
    who = rng.pick(NAMES)
    told = [story.opening(rng, who)]
    count = rng.int(2, difficulty)
    last: Writer | None = None
    while len(told) < count:
        writer = rng.pick(story.events)
        event = None if writer is last else writer(rng, told[-1].value, who)
        if event is None:
            continue
        told.append(event)
        last = writer
    prompt = " ".join([*(event.text for event in told), story.question.format(who=who)])
    return prompt, str(told[-1].value), [(event.expression, str(event.value)) for event in told]


def verify(expected: str, answer: str) -> bool:
    """"Mia has 42 marbles" says 42; an answer with two numbers says neither."""
    # JavaScript counts UTF-16 units.
    if len(answer.encode("utf-16-le", "surrogatepass")) // 2 > MAX_ANSWER:
        return False
    value = only_value(answer)
    return value is not None and same_answer(value, expected)
