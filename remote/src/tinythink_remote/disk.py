"""Space on the server's disk: how much is free, how much a checkpoint takes, and what is said when there is too little."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import struct
from contextlib import suppress
from pathlib import Path

# Part of the disk that runs leave free, so that events, statuses and logs can always be written; at most MOST_RESERVED.
RESERVED_SHARE = 0.05
MOST_RESERVED = 1 << 30

# A disk that is full, a quota that is used up, and a limit to the size of a file.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# How PyTorch and safetensors report them.
NO_SPACE_TEXTS = ("no space left on device", "disk quota exceeded", "file too large", *(f"os error {e})" for e in NO_SPACE))
# PyTorch doesn't say why a file could not be written.
WRITE_FAILURES = ("pytorchstreamwriter failed", "inline_container", "iostream error", "file write failed")

MAX_HEADER = 100 << 20


class NoSpace(RuntimeError):
    """There is too little space on the server's disk. The message is for the user."""


def free_bytes(folder: Path) -> int:
    """Bytes that runs may still write: what is free, without the reserve."""
    usage = shutil.disk_usage(folder)
    return usage.free - min(MOST_RESERVED, int(usage.total * RESERVED_SHARE))


def check_space(folder: Path, needed: int = 0, what: str = "") -> None:
    """Raises NoSpace if less than `needed` bytes are free, or if the reserve is used up. `what` needs them, as in "a
    checkpoint"."""
    free = free_bytes(folder)
    if free >= needed:
        return
    if needed == 0:
        raise NoSpace(NO_SPACE_LEFT)
    raise NoSpace(
        f"There is no space left for {what} on the server's disk: it needs {in_words(needed)}, and "
        f"{in_words(max(0, free))} can be used. Delete runs or data sets that you no longer need there."
    )


def is_no_space(error: BaseException, folder: Path | None = None) -> bool:
    """Whether an error, or what led to it, comes from a full disk. `folder` is where something was being written."""
    for cause in causes(error):
        if isinstance(cause, NoSpace) or (isinstance(cause, OSError) and cause.errno in NO_SPACE):
            return True
        text = str(cause).lower()
        if any(known in text for known in NO_SPACE_TEXTS):
            return True
        if folder and any(known in text for known in WRITE_FAILURES) and free_bytes(folder) <= 0:
            return True
    return False


def causes(error: BaseException) -> list[BaseException]:
    """The error and what led to it."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and not any(cause is each for each in chain):
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    return chain


NO_SPACE_LEFT = (
    "There is no space left on the server's disk, or its quota is used up. Delete runs or data sets that you no longer need "
    "there."
)


def no_space_in_words(error: BaseException) -> str:
    return str(error) if isinstance(error, NoSpace) else NO_SPACE_LEFT


def in_words(size: float) -> str:
    """Bytes as a person reads them: 7.7 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def checkpoint_bytes(parameters: int, trained: int | None = None) -> int:
    """The size of a checkpoint: the trained weights and Adam's two moments of each, all in f32, and some small files."""
    return 12 * (parameters if trained is None else trained) + (1 << 20)


def parameters_of(folder: Path) -> int:
    """The number of weights of a model folder, from the headers of its safetensors files; 0 if they can't be read."""
    total = 0
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, struct.error, RecursionError):
        for path in folder.glob("*.safetensors"):
            with open(path, "rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                if length > MAX_HEADER:
                    return 0
                tensors = json.loads(file.read(length))
            tensors.pop("__metadata__", None)
            total += sum(math.prod(tensor["shape"]) for tensor in tensors.values())
    return total


def folder_bytes(folder: Path) -> int:
    """The size of everything in a folder, without following links."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total
