"""Evaluation of a run's model on the held-out problems, with the `eval_` metrics of src/rl/evaluate.ts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from .answer import STYLES
from .rewards import Score, weighted_sum
from .tasks import Problem
from .tokens import TokenTexts

# How many answers an event shows.
SHOWN = 8


def share_of(problems: list[Problem], processes: int, rank: int) -> tuple[list[Problem], int]:
    """This process's problems and how many of them are its own. The rest only pads: with sharded weights, every process
    must take part in every forward, so all of them generate equally often."""
    share = math.ceil(len(problems) / processes)
    own = problems[rank * share : (rank + 1) * share]
    return own + [problems[0]] * (share - len(own)), len(own)


def answer_row(
    problem: Problem,
    ids: list[int],
    tokens: TokenTexts,
    scorer: Callable[[Problem, list[int]], Score],
    weights: dict[str, float],
) -> dict:
    """What the metrics need to know about one answer."""
    scored = scorer(problem, ids)
    return {
        "sample": {
            "prompt": problem.prompt,
            "answer": problem.answer,
            "text": tokens.completion(ids),
            "correct": scored.correct,
        },
        "style": scored.parsed.style,
        "length": len(ids),
        "truncated": tokens.is_truncated(ids),
        "reward": weighted_sum(scored.rewards, weights),
    }


def summarise(rows: list[dict]) -> dict:
    """The metrics over all answers, and the first few of them."""
    correct = [row["sample"]["correct"] for row in rows]
    metrics = {
        "eval_accuracy": statistics.fmean(correct),
        "eval_reward": statistics.fmean(row["reward"] for row in rows),
        "eval_mean_length": statistics.fmean(row["length"] for row in rows),
        "eval_truncated": statistics.fmean(row["truncated"] for row in rows),
    }
    for style in STYLES:
        right = [ok for row, ok in zip(rows, correct, strict=True) if row["style"] == style]
        metrics[f"eval_style/{style}"] = len(right) / len(rows)
        if right:
            metrics[f"eval_style_accuracy/{style}"] = statistics.fmean(right)
    return {"metrics": metrics, "samples": [row["sample"] for row in rows[:SHOWN]]}


@contextmanager
def own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Sampling inside starts from `seed` each time and leaves the run's own random state as it was."""
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
