"""Learning-rate schedules, exactly as Transformers' `get_scheduler` gives them (src/rl/schedule.ts has the same).

They count steps, which with several updates to a batch are fewer than Trainer's own.
"""

from __future__ import annotations

import math


def factor(kind: str, warmup_steps: int, max_steps: int, step: int) -> float:
    """Share of the peak at a step, 0 for the first."""
    if step < warmup_steps:
        return step / max(1, warmup_steps)
    decay = max(1, max_steps - warmup_steps)
    if kind == "linear":
        return max(0.0, (max_steps - step) / decay)
    if kind == "cosine":
        return max(0.0, (1 + math.cos(math.pi * (step - warmup_steps) / decay)) / 2)
    return 1.0
