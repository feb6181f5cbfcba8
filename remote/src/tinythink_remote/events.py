"""A run's events on disk: JSON lines, written by the run's one process and read by any number of others.

An event's id is its line number, counted from 1. A line that a crash cut short is removed before the next one is
written.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import threading
from pathlib import Path
from typing import Any


class RunIsTaken(RuntimeError):
    """Another process is writing this run's events."""


def to_json(value: Any) -> str:
    """JSON as JavaScript writes it, with null for numbers that aren't finite. ASCII only, so that no character is taken for
    a line break."""
    return json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


class EventWriter:
    """Appends events. It holds a lock on the file until it is closed."""

    def __init__(self, path: Path):
        self._file = open(path, "ab+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise RunIsTaken(f"{path} is being written by another process") from error
        self._file.seek(0)
        whole = self._file.read()
        keep = whole.rfind(b"\n") + 1
        if keep < len(whole):
            self._file.truncate(keep)

    def append(self, event: dict) -> None:
        self._file.write(to_json(event).encode() + b"\n")
        self._file.flush()
        # Safe against a power cut; a step takes far longer than this.
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class EventReader:
    """Reads complete lines by their number, and remembers where each begins."""

    def __init__(self, path: Path):
        self._path = path
        self._starts = [0]
        self._pending = b""
        # Several streams of the same run read in different threads.
        self._lock = threading.Lock()

    def count(self) -> int:
        """The number of events so far."""
        with self._lock:
            return self._count()

    def _count(self) -> int:
        try:
            with open(self._path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < self._starts[-1] + len(self._pending):
                    # A line that was cut short has been removed.
                    self._pending = b""
                file.seek(self._starts[-1] + len(self._pending))
                while block := file.read(1 << 20):
                    lines = (self._pending + block).split(b"\n")
                    self._pending = lines.pop()
                    for line in lines:
                        self._starts.append(self._starts[-1] + len(line) + 1)
        except FileNotFoundError:
            pass
        return len(self._starts) - 1

    def read(self, first: int, most: int = 16) -> list[str]:
        """Lines `first`, `first` + 1, … without their line ends, at most `most` of them."""
        with self._lock:
            last = min(self._count(), first + most - 1)
            if last < first:
                return []
            start, end = self._starts[first - 1], self._starts[last]
        with open(self._path, "rb") as file:
            file.seek(start)
            data = file.read(end - start)
        return data.decode().splitlines()


def read_events(path: Path) -> list[dict]:
    """All complete events; none if there is no file."""
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines]
