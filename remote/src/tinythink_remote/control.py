"""The run's side of control.json and status.json: what the sidecar asks for, and the run's status."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch

from .files import Control, RunFiles, Status


class RunControl:
    """Reads commands in every process of the run, and writes the status in the main one."""

    def __init__(self, files: RunFiles, is_main: bool, processes: int):
        self._files = files
        self._is_main = is_main
        self.status = Status()
        # Live settings that have been applied.
        self.live: dict = {}
        self._last_seen = Control()
        # What the sidecar last asked for; it stands for a file that is damaged.
        self._last_read: Control | None = None
        # Commands are broadcast on the CPU: over NCCL, every GPU of a paused run would be busy waiting.
        self._group = torch.distributed.new_group(backend="gloo") if processes > 1 else None

    def take_over(self) -> None:
        """Starts this process's status: what an earlier process of the run said no longer holds."""
        self.status = Status(save=self._files.read_status().save, pid=os.getpid())
        self.set_status("starting", 0)

    def set_status(self, state: str, step: int) -> None:
        self.status.state, self.status.step = state, step
        if self._is_main:
            self._files.write_status(self.status)

    def read(self) -> Control:
        """What the sidecar asks for now. The main process reads it for all of them, so that they agree."""
        asked = self.share(lambda: self._files.read_control(otherwise=self._last_read))
        self._last_read = asked
        return asked

    def share(self, ask: Callable[[], Any]) -> Any:
        """What the main process gets by asking, in all processes. Every process takes part."""
        shared = [ask() if self._is_main else None]
        if self._group:
            torch.distributed.broadcast_object_list(shared, src=0, group=self._group)
        return shared[0]

    def set_paused(self, asked: Control, step: int) -> None:
        """Writes the status of a paused run, if it is news."""
        if self.status.state != "paused" or asked != self._last_seen:
            self.set_status("paused", step)
        self._last_seen = asked
