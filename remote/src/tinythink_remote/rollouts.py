"""The completions that a step samples: their scores, and what the step's event needs to know about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from .rewards import Score, score
from .tasks import Problem, Task
from .tokens import TokenTexts


@dataclass
class Rollout:
    """This process's share of a step's completions, in the order in which TRL sampled them."""

    problems: list[Problem]
    ids: list[list[int]]
    scores: list[Score]
    # prompt_ids and prompt_mask of shape [B, P], completion_ids of shape [B, C], for a further forward.
    tensors: dict[str, torch.Tensor]
    advantages: list[float]
    # Per token, under the weights that sampled the completion; None until they are known.
    logprobs: list[list[float] | None]
    # Milliseconds.
    rollout_ms: float
    # When sampling began, in seconds of time.perf_counter.
    started: float

    def keep_logprobs(self, rows: list[int], logprobs: torch.Tensor) -> None:
        """Keeps the log-probabilities that the loss computed, unless they are known: of several updates, only the first
        sees the weights that sampled."""
        for row, values in zip(rows, logprobs.float().tolist(), strict=True):
            if self.logprobs[row] is None:
                self.logprobs[row] = values[: len(self.ids[row])]


class Scorer:
    """Scores completions, and gives TRL one reward function for each reward."""

    def __init__(self, task: Task, tokens: TokenTexts, max_completion_length: int, reward_funcs: Sequence[str]):
        self._task = task
        self._tokens = tokens
        self._max_completion_length = max_completion_length
        self._reward_funcs = reward_funcs
        self._problems: list[Problem] = []
        self._ids: list[list[int]] | None = None
        self._scores: list[Score] = []

    def score(self, problem: Problem, ids: list[int]) -> Score:
        text, truncated = self._tokens.completion(ids), self._tokens.is_truncated(ids)
        limit = self._max_completion_length
        return score(self._task, problem, text, len(ids), truncated, limit, self._reward_funcs)

    @property
    def last(self) -> tuple[list[Problem], list[list[int]], list[Score]]:
        """The problems, completions and scores of the last call of the reward functions."""
        assert self._ids is not None
        return self._problems, self._ids, self._scores

    def reward_functions(self) -> list[Callable]:
        return [self._reward(name) for name in self._reward_funcs]

    def _reward(self, name: str) -> Callable:
        def reward(completion_ids, problem, **_) -> list[float]:
            # TRL calls one function after the other with the same completions: the first scores them for all.
            if self._ids is not completion_ids:
                self._problems = [Problem(p["prompt"], p["answer"], [("", "")] * p["steps"]) for p in problem]
                pairs = zip(self._problems, completion_ids, strict=True)
                self._scores = [self.score(each, ids) for each, ids in pairs]
                self._ids = completion_ids
            return [each.rewards[name] for each in self._scores]

        # TRL names a reward's metrics after its function.
        reward.__name__ = name
        return reward
