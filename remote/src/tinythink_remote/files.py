"""The files of a run's folder. The sidecar and the run's process communicate through two of them.

    request.json     the validated body of POST /runs, written once
    events.jsonl     the run's events; the process that writes it holds a lock on it
    control.json     what the sidecar asks for; `seq` rises with each command
    status.json      the run's status, with the `seq` of the last command that has taken effect
    run.lock         locked for as long as the process, or its launcher, lives
    log.txt          the output of the process
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
    # What the run should do: running, paused or stopped.
    state: str = "running"
    # While paused: the run continues up to this step.
    until: int = 0
    # Raised by one to ask for a checkpoint.
    save: int = 0
    live: dict[str, Any] = field(default_factory=dict)


@dataclass
class Status:
    seq: int = 0
    # One of starting, running, paused, finished, stopped and failed.
    state: str = "starting"
    # The number of steps done.
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
    """Writes a file in one go, so that a reader sees either the old file or the new one."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(value))
    os.replace(draft, path)


def _read(path: Path, kind: type) -> Any:
    return kind(**json.loads(path.read_text())) if path.exists() else kind()
