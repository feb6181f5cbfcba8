"""The events of a run, in the form of src/runs/events.ts, from what TRL and the run's steps give."""

from __future__ import annotations

import math
import statistics
from datetime import datetime, timezone
from typing import Any

import torch
import trl

from .config import RunConfig
from .rewards import weighted_sum
from .rollouts import Rollout
from .tokens import TokenTexts

SCHEMA_VERSION = 1


def started_event(run_id: str, config: RunConfig, model: dict, processes: int, on_gpu: bool, with_vllm: bool) -> dict:
    """The first event. `model` has the model's `parameters`, `architecture` and `reads_language`."""
    device = torch.cuda.get_device_name() if on_gpu else "CPU"
    sampling = "vLLM" if with_vllm else "Transformers"
    return {
        "type": "started",
        "schema": SCHEMA_VERSION,
        "run_id": run_id,
        "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "config": config.model_dump(),
        "model": {"name": config.model, **model},
        "device": {
            "kind": "trl",
            "description": f"TRL {trl.__version__}, sampling with {sampling}, on {processes} × {device}",
        },
        "seed": config.seed,
    }


class MetricLog:
    """TRL's metrics of the updates of a step."""

    def __init__(self):
        self._logged: list[dict[str, float]] = []

    def add(self, logs: dict[str, Any]) -> None:
        self._logged.append({name: float(value) for name, value in logs.items() if _is_number(value)})

    def take(self) -> dict[str, float]:
        """The mean of each metric over the step's updates; then it starts again with none."""
        names = dict.fromkeys(name for each in self._logged for name in each)
        metrics = {
            name: statistics.fmean(each[name] for each in self._logged if name in each)
            for name in names
            if name not in ("epoch", "num_tokens")
        }
        self._logged = []
        return metrics


def diverged_metric(metrics: dict[str, float]) -> str | None:
    """The name of a metric that shows that the weights have diverged; None while they haven't."""
    return next((name for name in ("loss", "grad_norm") if not math.isfinite(metrics.get(name, 0))), None)


def divergence_reason(metric: str, step: int) -> str:
    return (
        f"{metric} is not finite at step {step}: the weights have diverged, and no further step can repair them. Start "
        "again with a lower learning rate or a lower max_grad_norm."
    )


def completion_rows(
    rollout: Rollout, tokens: TokenTexts, weights: dict[str, float], after: list[list[float]] | None
) -> list[dict]:
    """A row for each completion, with its problem. `after`: log-probabilities under the weights after the step."""
    rows = []
    for i, (problem, ids, scored) in enumerate(zip(rollout.problems, rollout.ids, rollout.scores, strict=True)):
        row = {
            "problem": (problem.prompt, problem.answer),
            "text": tokens.completion(ids),
            "token_ids": ids,
            "tokens": tokens.each(ids),
            "logprobs": _rounded(rollout.logprobs[i] or [math.nan] * len(ids)),
            "rewards": scored.rewards,
            "reward": weighted_sum(scored.rewards, weights),
            "advantage": rollout.advantages[i],
            "truncated": tokens.is_truncated(ids),
            "style": scored.parsed.style,
        }
        rows.append(row if after is None else row | {"logprobs_after": _rounded(after[i])})
    return rows


def groups_of(rows: list[dict], num_generations: int) -> list[dict]:
    """The rows of all processes as groups, each of the completions of one problem."""
    groups = []
    for start in range(0, len(rows), num_generations):
        completions = rows[start : start + num_generations]
        (prompt, answer), *_ = [completion.pop("problem") for completion in completions]
        rewards = [completion["reward"] for completion in completions]
        groups.append(
            {
                "prompt": prompt,
                "answer": answer,
                "mean": statistics.fmean(rewards),
                "std": statistics.stdev(rewards),
                "completions": completions,
            }
        )
    return groups


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _rounded(values: list[float]) -> list[float]:
    """With enough digits to show any change, which takes a fifth of the size."""
    return [round(value, 5) if math.isfinite(value) else value for value in values]
