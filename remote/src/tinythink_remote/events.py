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
        self._file = open(path, "ab+", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise RunIsTaken(f"{path} is being written by another process") from error
        # A line that a crash cut short is removed.
        end = at = os.fstat(self._file.fileno()).st_size
        keep = 0
        while at > 0 and keep == 0:
            start = max(0, at - (1 << 16))
            self._file.seek(start)
            found = self._file.read(at - start).rfind(b"\n")
            keep, at = (start + found + 1 if found >= 0 else 0), start
        if keep < end:
            self._file.truncate(keep)

    def append(self, event: dict) -> None:
        """Writes all of the event or, if there is no space for it, nothing. Raises OSError then."""
        left = memoryview(to_json(event).encode() + b"\n")
        size = os.fstat(self._file.fileno()).st_size
        try:
            while left:
                left = left[self._file.write(left) :]
            # Safe against a power cut; a step takes far longer than this.
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(size)
            raise

    def close(self) -> None:
        self._file.close()


class EventReader:
    """Reads complete lines by their number, and remembers where each begins."""

    def __init__(self, path: Path):
        self._path = path
        self._starts = [0]
        self._pending = 0
        # The lines that were found to be whole, so that each is parsed for the first client only.
        self._good: set[int] = set()
        # Several streams of the same run read in different threads.
        self._lock = threading.Lock()

    def count(self) -> int:
        """The number of events so far."""
        with self._lock:
            return self._count()

    def _count(self) -> int:
        try:
            with _open(self._path) as file:
                size = os.fstat(file.fileno()).st_size
                if size < self._starts[-1] + self._pending:
                    # A line that was cut short has been removed.
                    self._pending = 0
                at = self._starts[-1] + self._pending
                file.seek(at)
                while block := file.read(1 << 20):
                    end = -1
                    while (end := block.find(b"\n", end + 1)) >= 0:
                        self._starts.append(at + end + 1)
                    at += len(block)
                self._pending = at - self._starts[-1]
        except OSError:
            # Not there yet, or it can't be read: then there is nothing to send.
            pass
        return len(self._starts) - 1

    def read(self, first: int, most: int = 16, most_bytes: int = 1 << 20) -> list[str]:
        """Lines `first`, `first` + 1, … without their line ends: at most `most` of them, and of `most_bytes` all together
        unless the first one alone is longer. An event in place of a damaged one says that it is lost, so that the numbers of
        the others stay what they are."""
        with self._lock:
            last = min(self._count(), first + most - 1)
            if last < first:
                return []
            start = self._starts[first - 1]
            while last > first and self._starts[last] - start > most_bytes:
                last -= 1
            end = self._starts[last]
        try:
            with _open(self._path) as file:
                file.seek(start)
                lines = file.read(end - start).split(b"\n")[:-1]
        except OSError:
            return []
        return [self._checked(number, line) for number, line in enumerate(lines, first)]

    def _checked(self, number: int, line: bytes) -> str:
        if number not in self._good:
            if not parse_event(line):
                return self._lost(number)
            self._good.add(number)
        return line.decode("ascii")

    def _lost(self, number: int) -> str:
        """An event in place of number `number`, which is damaged."""
        step = 0
        for before in range(number - 1, 0, -1):
            with _open(self._path) as file:
                file.seek(self._starts[before - 1])
                event = parse_event(file.read(self._starts[before] - self._starts[before - 1] - 1))
            if event:
                step = event.get("step", 0)
                break
        reason = "an event of this run is damaged on the server's disk and was left out"
        return to_json({"type": "interrupted", "step": step, "reason": reason, "resumes_from": step})


def parse_event(line: bytes) -> dict | None:
    """A line of a file of events; None if it is damaged."""
    try:
        event = json.loads(line.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("type"), str) else None


def read_events(path: Path) -> list[dict]:
    """All complete events that aren't damaged; none if there is no file."""
    if not path.exists():
        return []
    with _open(path) as file:
        lines = (line[:-1] for line in file if line.endswith(b"\n"))
        return [event for line in lines if (event := parse_event(line)) is not None]


def last_event(path: Path) -> dict | None:
    """The last complete event that isn't damaged. Reads only as much of the file's end as that takes."""
    try:
        with _open(path) as file:
            size = os.fstat(file.fileno()).st_size
            read = 1 << 16
            while True:
                start = max(0, size - read)
                file.seek(start)
                lines = file.read(size - start).split(b"\n")[:-1]
                # The first one may have begun before.
                for line in reversed(lines if start == 0 else lines[1:]):
                    if event := parse_event(line):
                        return event
                if start == 0:
                    return None
                read *= 8
    except OSError:
        return None


def _open(path: Path):
    """Opens a file for reading, unless it is a link, which could lead anywhere."""
    return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
