"""What a run's folder holds, and how the sidecar and the process that runs it talk: through two small files.

    request.json     the validated body of POST /runs, written once
    events.jsonl     the run's events; its writer holds a lock on it
    control.json     what the sidecar wants; a higher `seq` is a newer wish
    status.json      what the process last said, and the `seq` that it has come to
    run.lock         locked for as long as the process, or its launcher, lives
    log.txt          output of the process
    checkpoints/     Trainer's checkpoint-<update> folders
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Control:
    seq: int = 0
    # What the run should be doing: running, paused or stopped.
    state: str = "running"
    # While paused: the run goes on up to this step.
    until: int = 0
    # A checkpoint is wanted by whoever raised this number.
    save: int = 0
    live: dict[str, Any] = field(default_factory=dict)


@dataclass
class Status:
    seq: int = 0
    # starting, running, paused, finished, stopped or failed.
    state: str = "starting"
    # Steps done.
    step: int = 0
    save: int = 0
    pid: int = 0


ENDED = ("finished", "stopped", "failed")


class RunFiles:
    def __init__(self, folder: Path):
        self.folder = folder
        self.request = folder / "request.json"
        self.events = folder / "events.jsonl"
        self.control = folder / "control.json"
        self.status = folder / "status.json"
        self.lock = folder / "run.lock"
        self.log = folder / "log.txt"
        self.checkpoints = folder / "checkpoints"

    def read_control(self) -> Control:
        return _read(self.control, Control)

    def read_status(self) -> Status:
        return _read(self.status, Status)

    def write_control(self, control: Control) -> None:
        write_json(self.control, asdict(control))

    def write_status(self, status: Status) -> None:
        write_json(self.status, asdict(status))


def write_json(path: Path, value: Any) -> None:
    """Whole or not at all: a reader sees the old file or the new one."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(value))
    os.replace(draft, path)


def _read(path: Path, kind: type) -> Any:
    return kind(**json.loads(path.read_text())) if path.exists() else kind()
