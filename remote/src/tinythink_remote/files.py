"""The files of a run's folder. The sidecar and the run's process communicate through two of them.

    request.json     the validated body of POST /runs, written once
    events.jsonl     the run's events; the process that writes it holds a lock on it
    control.json     what the sidecar asks for; `seq` rises with each command
    status.json      the run's status, with the `seq` of the last command that has taken effect
    run.lock         locked for as long as the process, or its launcher, lives
    log.txt          the output of the process
    checkpoints/     Trainer's checkpoint-<update> folders

A disk that was full or a machine that lost power may have left any of them empty or cut short. Then reading control.json
and status.json gives what the other files say, since both only repeat what is known elsewhere.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from .events import last_event

STATES = ("starting", "running", "paused", "finished", "stopped", "failed")
# Beyond it, a page would read another number.
MOST = 2**53 - 1
ENDED = ("finished", "stopped", "failed")


class Damaged(ValueError):
    """A file doesn't contain what it should. The message is for the user."""


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
    # One of STATES.
    state: str = "starting"
    # The number of steps done.
    step: int = 0
    save: int = 0
    pid: int = 0
    # Why the run doesn't go on at the moment, for the user; empty while it does.
    note: str = ""


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

    def read_control(self, otherwise: Control | None = None) -> Control:
        """`otherwise` stands for a file that can't be read; without it, the run goes on as its status says."""
        try:
            return _read(self.control, Control)
        except Damaged:
            return otherwise or self._control_by_status()

    def read_status(self) -> Status:
        try:
            return _read(self.status, Status)
        except Damaged:
            return self._status_by_events()

    def damage(self) -> list[str]:
        """The names of those two files that can't be read."""
        damaged = []
        for path, kind in ((self.control, Control), (self.status, Status)):
            try:
                _read(path, kind)
            except Damaged:
                damaged.append(path.name)
        return damaged

    def write_control(self, control: Control) -> None:
        write_json(self.control, asdict(control))

    def write_status(self, status: Status) -> None:
        write_json(self.status, asdict(status))

    def _control_by_status(self) -> Control:
        try:
            status = _read(self.status, Status)
        except Damaged:
            # Paused is the state from which nothing is lost.
            return Control(state="paused")
        state = "paused" if status.state == "paused" else "running"
        return Control(seq=status.seq, state=state, until=status.step, save=status.save)

    def _status_by_events(self) -> Status:
        event = last_event(self.events) or {}
        step = event.get("step")
        status = Status(step=step if type(step) is int and 0 <= step <= MOST else 0)
        with suppress(Damaged):
            control = _read(self.control, Control)
            status.seq, status.save = control.seq, control.save
        if event:
            status.state = end_state(event) or "running"
        return status


def end_state(event: dict) -> str | None:
    """The state of a run whose last event this is; None if it is no run's last."""
    if event.get("type") == "failed":
        return "failed"
    if event.get("type") == "finished":
        return "stopped" if event.get("reason") == "stopped" else "finished"
    return None


def write_json(path: Path, value: Any) -> None:
    """Writes a file in one go, so that a reader sees either the old file or the new one, also after a power cut."""
    # The sidecar and a run's process may write the same file.
    draft = path.with_suffix(f".{os.getpid()}.draft")
    try:
        with open(draft, "w") as file:
            file.write(json.dumps(value))
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names of a folder safe against a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json(path: Path) -> dict:
    """An object. Raises Damaged if the file is no such thing, or isn't there."""
    try:
        # A link could lead anywhere.
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), encoding="utf-8") as file:
            value = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise Damaged(f"{path.name} can't be read: {_why(error)}.") from None
    if not isinstance(value, dict):
        raise Damaged(f"{path.name} can't be read: it isn't a JSON object.")
    return value


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    return "it isn't complete JSON"


def _read(path: Path, kind: type) -> Any:
    """A Control or a Status; the default where there is no file yet. Keys of other versions are ignored."""
    if not path.exists():
        return kind()
    read = read_json(path)
    known = {each.name: read[each.name] for each in fields(kind) if each.name in read}
    defaults = kind()
    for name, value in known.items():
        right = type(value) is type(getattr(defaults, name))
        if not right or (type(value) is int and not 0 <= value <= MOST) or (name == "state" and value not in STATES):
            raise Damaged(f"{path.name} can't be read: {name} isn't what it should be.")
    return kind(**known)
