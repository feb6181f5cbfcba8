"""The reward functions of src/rl/rewards/index.ts. A run names them and weighs them; nothing in a request can add one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .answer import Parsed, parse_chat_completion, parse_completion
from .tasks import Problem, Task

REWARDS = ("accuracy", "format", "length")


@dataclass
class Score:
    parsed: Parsed
    # Unweighted value of each reward function.
    rewards: dict[str, float]


def score(task: Task, problem: Problem, text: str, length: int, truncated: bool, max_completion_length: int) -> Score:
    """Every reward of a completion of `length` tokens, `<eos>` included; `truncated` if the limit ended it."""
    chat = task.instruction is not None
    parsed = parse_chat_completion(text) if chat else parse_completion(text, len(problem.steps))
    if truncated:
        parsed.formatted, parsed.style = False, "unformatted"
    read = parsed.formatted or (chat and parsed.answer is not None)
    correct = read and task.verify(problem, parsed.answer or "")
    if truncated:
        brevity = -1.0
    else:
        # The cosine reward of Yeo et al., arXiv 2502.03373: be brief when you know, think longer when you don't.
        remaining = (1 + math.cos(math.pi * min(1, length / max_completion_length))) / 2
        brevity = remaining if correct else -remaining
    return Score(parsed, {"accuracy": float(correct), "format": float(parsed.formatted), "length": brevity})


def weighted_sum(rewards: dict[str, float | None], weights: dict[str, float]) -> float | None:
    """Σ weight · value over the values there are; None without any."""
    present = [weights[name] * value for name, value in rewards.items() if value is not None]
    return sum(present) if present else None
