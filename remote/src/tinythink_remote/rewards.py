"""The reward functions of src/rl/rewards. A run names them and weighs them; nothing in a request can add one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .answer import Parsed, parse_chat_completion, parse_completion
from .tasks import Problem, Task


@dataclass(frozen=True)
class Scored:
    """What a reward function sees of a completion."""

    parsed: Parsed
    # Whether the answer was found and is right.
    correct: bool
    # Tokens, `<eos>` included.
    length: int
    truncated: bool
    max_completion_length: int


def _accuracy(completion: Scored) -> float:
    return float(completion.correct)


def _format(completion: Scored) -> float:
    return float(completion.parsed.formatted)


def _length(completion: Scored) -> float:
    """The cosine reward of Yeo et al., arXiv 2502.03373: be brief when you know, think longer when you don't."""
    if completion.truncated:
        return -1.0
    remaining = (1 + math.cos(math.pi * min(1, completion.length / completion.max_completion_length))) / 2
    return remaining if completion.correct else -remaining


@dataclass(frozen=True)
class Reward:
    score: Callable[[Scored], float]
    default_weight: float


# By name, in the order of src/rl/rewards/index.ts.
REWARDS: Mapping[str, Reward] = {
    "accuracy": Reward(_accuracy, 1),
    "format": Reward(_format, 0.2),
    "length": Reward(_length, 0),
}


@dataclass
class Score:
    parsed: Parsed
    # Whether the answer was found and is right, whatever the run rewards.
    correct: bool
    # Unweighted value of each reward function.
    rewards: dict[str, float]


def score(
    task: Task,
    problem: Problem,
    text: str,
    length: int,
    truncated: bool,
    max_completion_length: int,
    reward_funcs: Sequence[str] = tuple(REWARDS),
) -> Score:
    """The rewards of a completion of `length` tokens, `<eos>` included; `truncated` if the limit ended it."""
    chat = task.instruction is not None
    parsed = parse_chat_completion(text) if chat else parse_completion(text, len(problem.steps))
    if truncated:
        parsed.formatted, parsed.style = False, "unformatted"
    read = (parsed.formatted or chat) and parsed.answer is not None
    correct = read and task.verify(problem, parsed.answer or "")
    scored = Scored(parsed, correct, length, truncated, max_completion_length)
    return Score(parsed, correct, {name: REWARDS[name].score(scored) for name in reward_funcs})


def weighted_sum(rewards: Mapping[str, float | None], weights: Mapping[str, float]) -> float | None:
    """Σ weight · value over the values there are; None without any."""
    present = [weights[name] * value for name, value in rewards.items() if value is not None]
    return sum(present) if present else None
