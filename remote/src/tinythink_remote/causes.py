"""Why a run's process failed, in words for whoever started the run, and whether trying again may help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .disk import causes, is_no_space, no_space_in_words

REASON_LIMIT = 2000


@dataclass(frozen=True)
class Cause:
    reason: str
    # Whether it may be gone when the process is started again.
    passes: bool = False
    no_space: bool = False


@dataclass(frozen=True)
class Known:
    # Parts of an error's text, in lower case, all of which are in it.
    parts: tuple[str, ...]
    words: str
    passes: bool = False


KNOWN = (
    Known(
        ("address already in use",),
        "Another program took the port of this run before the run could use it.",
        passes=True,
    ),
    Known(("eaddrinuse",), "Another program took the port of this run before the run could use it.", passes=True),
    # vLLM measures what it needs by what is free before and after, and stops when more is free afterwards.
    Known(
        ("error in memory profiling", "initial free memory"),
        "Another process on this GPU gave back memory while vLLM measured how much it can use.",
        passes=True,
    ),
    Known(
        ("free memory on device", "gpu memory utilization"),
        "vLLM's part of the GPU's memory (vllm_gpu_memory_utilization) is larger than what other processes leave free. Stop "
        "another run, choose a smaller part, or train without vLLM.",
    ),
    Known(
        ("no available memory for the cache blocks",),
        "vLLM's part of the GPU's memory (vllm_gpu_memory_utilization) is too small for the model and its cache. Choose a "
        "larger part, or train without vLLM.",
    ),
    Known(
        ("larger than the maximum number of tokens that can be stored in kv cache",),
        "vLLM's part of the GPU's memory (vllm_gpu_memory_utilization) is too small for the model and its cache. Choose a "
        "larger part, or train without vLLM.",
    ),
    Known(
        ("cuda out of memory",),
        "The GPU has too little memory for this run. Stop other runs, use fewer completions at a time or gradient "
        "checkpointing, or train an adapter (LoRA).",
    ),
)


def cause_of(error: BaseException, folder: Path) -> Cause:
    """Why a run failed. `folder` is the run's, on the disk that may be full."""
    said = f"{type(error).__name__}: {error}"
    if is_no_space(error, folder):
        return Cause(no_space_in_words(error), no_space=True)
    for text in (f"{type(each).__name__}: {each}" for each in causes(error)):
        for known in KNOWN:
            if all(part in text.lower() for part in known.parts):
                return Cause(f"{known.words} ({text})"[:REASON_LIMIT], passes=known.passes)
    return Cause(said[:REASON_LIMIT])

