"""The tasks of src/tasks, problem for problem and verdict for verdict; both sides are held to the same vectors.

Only what a trainer needs is here: problems and their verification. Traces, which a cold start learns from, stay in
TypeScript.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from . import word_problems
from .expression import evaluate
from .rng import Rng


@dataclass(frozen=True)
class Problem:
    # What the model is shown after <bos>, for example `12+7-30=`.
    prompt: str
    # One correct answer. A task may accept others.
    answer: str
    # The worked solution as (expression, value), in order.
    steps: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Task:
    name: str
    # Smallest and largest difficulty.
    difficulty: tuple[int, int]
    generate: Callable[[Rng, int], Problem]
    # Whether an answer (hostile text) solves the problem. Exact, never raises, never evaluates code.
    verify: Callable[[Problem, str], bool]
    # How to answer, for a task that is asked through a model's chat template; without it the prompt alone is shown.
    instruction: str | None = None


def _is_answer(problem: Problem, answer: str) -> bool:
    return answer == problem.answer


def _sum(rng: Rng, difficulty: int) -> Problem:
    terms = rng.int(3, difficulty)
    total = rng.int(0, 99)
    prompt = str(total)
    steps = []
    for _ in range(1, terms):
        sign = 1 if rng.next() < 0.6 else -1
        term = rng.int(0, 99)
        operation = f"{'+' if sign > 0 else '-'}{term}"
        steps.append((f"{total}{operation}", str(total + sign * term)))
        prompt += operation
        total += sign * term
    return Problem(f"{prompt}=", str(total), steps)


def _mul(rng: Rng, difficulty: int) -> Problem:
    largest = 10 * difficulty + 9
    x = rng.int(11, largest)
    y = rng.int(11, largest)
    units = y % 10
    tens = y - units
    answer = str(x * y)
    steps = [
        (f"{x}*{tens}", str(x * tens)),
        (f"{x}*{units}", str(x * units)),
        (f"{x * tens}+{x * units}", answer),
    ]
    return Problem(f"{x}*{y}=", answer, steps)


_TRIES = (0, 1, 1, 2, 2, 3, 3, 4)


def _candidate(rng: Rng, numbers: list[int]) -> str:
    """The numbers in a random order with random operators between them."""
    text = ""
    for i, number in enumerate(rng.shuffle(numbers)):
        text += (rng.pick("+-*") if i > 0 else "") + str(number)
    return text


def _value(expression: str) -> int:
    evaluated = evaluate(expression)
    assert evaluated is not None, expression
    return evaluated.value


def _countdown(rng: Rng, difficulty: int) -> Problem:
    while True:
        numbers = [rng.int(1, 20) for _ in range(difficulty)]
        answer = _candidate(rng, numbers)
        target = _value(answer)
        if 0 <= target <= 99:
            break
    steps = []
    seen = {answer}
    for _ in range(rng.pick(_TRIES)):
        expression = _candidate(rng, numbers)
        value = _value(expression)
        if expression in seen or value == target:
            continue
        seen.add(expression)
        steps.append((expression, str(value)))
    steps.append((answer, str(target)))
    return Problem(f"{' '.join(map(str, numbers))}:{target}=", answer, steps)


def _verify_countdown(problem: Problem, answer: str) -> bool:
    """Any expression that uses exactly the given numbers and reaches the target."""
    result = evaluate(answer)
    if result is None:
        return False
    numbers, target = problem.prompt[:-1].split(":")
    return result.value == int(target) and sorted(result.numbers) == sorted(map(int, numbers.split(" ")))


def _parity(rng: Rng, difficulty: int) -> Problem:
    bits = ""
    running = 0
    steps = []
    for _ in range(difficulty):
        bit = rng.int(0, 1)
        bits += str(bit)
        running ^= bit
        steps.append((str(bit), str(running)))
    return Problem(f"parity {bits}=", str(running), steps)


def _word_problem(rng: Rng, difficulty: int) -> Problem:
    return Problem(*word_problems.generate(rng, difficulty))


def _verify_word_problem(problem: Problem, answer: str) -> bool:
    return word_problems.verify(problem.answer, answer)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("sum", (3, 10), _sum, _is_answer),
        Task("mul", (1, 9), _mul, _is_answer),
        Task("countdown", (2, 4), _countdown, _verify_countdown),
        Task("parity", (2, 23), _parity, _is_answer),
        Task("word-problems", (2, 4), _word_problem, _verify_word_problem, word_problems.INSTRUCTION),
    )
}
