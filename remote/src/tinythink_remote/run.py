"""A run as the sidecar knows it: its files, and what can't be written to them at the moment."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass, field

from pydantic import ValidationError

from .config import NewRun
from .events import EventReader
from .files import Damaged, RunFiles, Status, read_json


@dataclass
class Run:
    files: RunFiles
    # None if it can't be read, and `problem` says why: then nothing can be done with the run but to delete it.
    request: NewRun | None = None
    problem: str | None = None
    created: float = 0.0
    process: subprocess.Popen | None = None
    restarts: int = 0
    step_at_restart: int = -1
    # Why its process isn't started yet; empty if it is.
    waiting: str = ""
    # How the run ended, and the event that says so, as long as they can't be written: None afterwards.
    ended: Status | None = None
    last_words: dict | None = None
    deleted: bool = False
    # What went wrong when it was looked after, how often in a row, and when (monotonic) to try again.
    error: str = ""
    errors: int = 0
    look_again: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self):
        self.reader = EventReader(self.files.events)
        try:
            self.created = self.files.folder.stat().st_mtime
            self.created = self.files.request.lstat().st_mtime
            self.request = NewRun.model_validate(read_json(self.files.request))
        except (Damaged, ValidationError, OSError) as error:
            why = str(error) if isinstance(error, Damaged) else "request.json can't be read: its settings aren't valid here."
            self.problem = f"{why} The run can't continue, and can be deleted."

    @property
    def id(self) -> str:
        return self.files.folder.name

    def status(self) -> Status:
        """How the run is, even if its files can't say so."""
        if self.ended:
            return self.ended
        status = self.files.read_status()
        if self.problem and status.state not in ("finished", "stopped", "failed"):
            status.state = "failed"
        return status
