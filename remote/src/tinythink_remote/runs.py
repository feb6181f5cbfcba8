"""The runs of this server: creates, lists and deletes them, passes commands to them, and looks after their processes
(keeper.py). Each run is loaded by itself: one that can't be read is listed with its problem and does nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from fnmatch import fnmatchcase
from pathlib import Path

from .checkpoints import checkpoint_folder, list_checkpoints, model_file
from .config import CHECKPOINT, DATASET, FOLDER, HUB_ID, RUN_ID, FieldError, HubDataset, LiveConfig, NewRun
from .datasets import Datasets, TooMany
from .disk import check_space, checkpoint_bytes, folder_bytes, free_bytes, parameters_of
from .files import ENDED, Control, RunFiles, Status, write_json
from .keeper import RunKeeper, kill_leftovers
from .launcher import check_options, gpu_count
from .run import Run

__all__ = ["Refused", "Run", "RunManager", "Unknown", "kill_leftovers", "tail"]

log = logging.getLogger("tinythink_remote")

# A folder of a run that is being deleted has this before its name.
DELETED = "deleted-"


class Refused(Exception):
    """A request that can't be carried out now. The message is for the user."""


class Unknown(Exception):
    """There is no such run, checkpoint or file."""


class RunManager(RunKeeper):
    """`models` contains the model folders and `folder` what this sidecar stores. `hub` lists patterns of the models and data
    sets on the Hub that may be used."""

    def __init__(self, models: Path, folder: Path, hub: tuple[str, ...] = (), max_running: int = 2):
        self._folder = folder.resolve()
        super().__init__(models.resolve(), self._folder / "datasets", hub, gpu_count())
        self._max_running = max_running
        self._runs_folder = self._folder / "runs"
        self._runs_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sidecar_lock = open(self._folder / "sidecar.lock", "w")
        try:
            fcntl.flock(self._sidecar_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused(f"another sidecar is using {self._folder}") from error
        self.stored = Datasets(self._folder / "datasets")
        self._changing = threading.Lock()
        for each in self._runs_folder.iterdir():
            if each.name.startswith(DELETED):
                shutil.rmtree(each, ignore_errors=True)
            elif RUN_ID.fullmatch(each.name) and each.is_dir() and not each.is_symlink():
                self._runs[each.name] = self._load(each)

    @staticmethod
    def _load(folder: Path) -> Run:
        """One that can't be read has a `problem`."""
        run = Run(RunFiles(folder))
        if run.problem:
            log.error("run %s is left alone: %s", run.id, run.problem)
        elif damaged := run.files.damage():
            log.warning("run %s: %s can't be read, so the other files say how it is", run.id, " and ".join(damaged))
        return run

    # Reading.

    def list(self) -> list[Run]:
        """Newest first."""
        return sorted(self._runs.values(), key=lambda run: -run.created)

    def get(self, run_id: str) -> Run:
        if run_id not in self._runs:
            raise Unknown("this run does not exist")
        return self._runs[run_id]

    def describe(self, run: Run) -> dict:
        status = run.status()
        return {
            "id": run.id,
            "created": run.created,
            "state": status.state,
            "step": status.step,
            "seq": status.seq,
            "save": status.save,
            # Why it doesn't go on, or why it can't be read; null if all is well.
            "note": run.problem or status.note or run.waiting or None,
            "bytes": folder_bytes(run.files.folder),
            "events": run.reader.count() + (run.last_words is not None),
            "config": run.request.config.model_dump() if run.request else None,
            "remote": run.request.remote.model_dump() if run.request else None,
        }

    def has_ended(self, run: Run) -> bool:
        return run.status().state in ENDED

    def model_names(self) -> list[str]:
        """Folders with a config.json. Links to other places are left out."""
        try:
            folders = [each for each in self.models.iterdir() if (each / "config.json").is_file()]
        except OSError as error:
            log.warning("the folder of models can't be read: %s", error)
            return []
        return sorted(each.name for each in folders if FOLDER.fullmatch(each.name) and self._is_inside(each))

    def _is_inside(self, folder: Path) -> bool:
        return folder.resolve().parent == self.models

    def disk(self) -> dict:
        """Bytes of the disk with the runs: `free` is what runs may still write."""
        return {"free": max(0, free_bytes(self._folder)), "total": shutil.disk_usage(self._folder).total}

    def checkpoints(self, run: Run) -> list[dict]:
        """The complete checkpoints, oldest first."""
        return list_checkpoints(run.files, run.request.config.num_iterations) if run.request else []

    def checkpoint_file(self, run: Run, step: int, name: str) -> Path:
        try:
            path = model_file(checkpoint_folder(run.files, step), name)
        except FileNotFoundError as error:
            raise Unknown(str(error)) from None
        if path is None:
            raise Unknown("the checkpoint has no such file")
        return path

    # Creating runs, passing commands to them, and deleting them.

    def create(self, request: NewRun) -> Run:
        """Raises FieldError, Refused or NoSpace."""
        self._check_possible(request)
        with self._changing:
            running = sum(not self.has_ended(run) for run in self._runs.values())
            if running >= self._max_running:
                raise Refused(f"{running} runs are running or paused, which is all that this server allows. Stop one first.")
            self._check_space(request)
            folder = self._runs_folder / secrets.token_hex(8)
            try:
                folder.mkdir(mode=0o700)
                files = RunFiles(folder)
                files.write_control(Control(state="paused" if request.paused else "running"))
                files.write_status(Status())
                write_json(files.request, request.model_dump())
                run = self._load(folder)
                self.start_in_turn(run)
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._runs[run.id] = run
        return run

    def _check_space(self, request: NewRun) -> None:
        """Raises NoSpace if there is too little for what the run saves at the least: a checkpoint, and the next one before
        the first is deleted."""
        config, needed = request.config, 0
        if not request.remote.lora and config.max_steps > 0:
            name = config.model
            match = CHECKPOINT.fullmatch(name)
            model = checkpoint_folder(self.get(match[1]).files, int(match[2])) if match else self.models / name
            saves = 2 if 0 < config.save_steps < config.max_steps else 1
            # A model of the Hub isn't here yet.
            needed = saves * checkpoint_bytes(parameters_of(model)) if match or "/" not in name else 0
        check_space(self._folder, needed, "the checkpoints of this run")

    def _check_possible(self, request: NewRun) -> None:
        """Raises FieldError for a setting that is valid but that this server can't meet."""
        name, task = request.config.model, request.config.task
        if match := CHECKPOINT.fullmatch(name):
            try:
                checkpoint_folder(self.get(match[1]).files, int(match[2]))
            except (Unknown, FileNotFoundError) as error:
                raise FieldError("config.model", str(error)) from None
        elif HUB_ID.fullmatch(name):
            self._check_hub("config.model", name)
        elif name not in self.model_names():
            raise FieldError("config.model", f"must be one of: {', '.join(self.model_names()) or 'none'}")
        if (match := DATASET.fullmatch(task)) and not self.stored.exists(match[1]):
            raise FieldError("config.task", "this data set does not exist here")
        check_options(request.remote, self.gpus)

    def _check_hub(self, field: str, hub_id: str) -> None:
        if not any(fnmatchcase(hub_id, pattern) for pattern in self.hub):
            raise FieldError(field, f"{hub_id} is not allowed from the Hub: start the sidecar with --hub '{hub_id}'")

    def command(self, run: Run, change: Callable[[Control, Status], None]) -> int:
        """Changes what a run should be doing. Returns the `seq` of its status from which on the change has taken effect."""
        with run.lock:
            if self.has_ended(run):
                raise Refused("the run has ended")
            control = run.files.read_control()
            change(control, run.status())
            control.seq += 1
            run.files.write_control(control)
            return control.seq

    def update(self, run: Run, live: LiveConfig) -> int:
        values = live.model_dump(exclude_none=True)
        if run.request is None:
            raise Refused("the run has ended")
        # The changed config must still be valid as a whole.
        merged = run.request.config.model_dump() | run.files.read_control().live | values
        type(run.request.config).model_validate(merged)

        def change(control: Control, _status: Status) -> None:
            control.live = control.live | values

        return self.command(run, change)

    def delete(self, run: Run, stop: bool = False) -> None:
        """Deletes a run that has ended, with its checkpoints. `stop` ends one that hasn't, at once."""
        with self._changing, run.lock, self._starting:
            if not stop and not run.problem and (not self.has_ended(run) or self.is_alive(run)):
                raise Refused("The run has not ended. Stop it before you delete it.")
            if user := self._user_of(run):
                raise Refused(f"Run {user.id} is trained from a checkpoint of this run and has not ended. Stop it first.")
            run.deleted = True
            self._runs.pop(run.id, None)
            if self.is_alive(run):
                kill_leftovers(run.id)
            # In one go, so that a crash leaves no half of a run behind.
            gone = run.files.folder.with_name(DELETED + run.id)
            run.files.folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _user_of(self, run: Run) -> Run | None:
        """A run that has not ended and that starts from a checkpoint of this one."""
        for other in self._runs.values():
            if other is not run and other.request and not self.has_ended(other):
                match = CHECKPOINT.fullmatch(other.request.config.model)
                if match and match[1] == run.id:
                    return other
        return None

    # Data sets.

    async def add_dataset(self, body: AsyncIterator[bytes]) -> dict:
        """Raises ValueError naming the line that is wrong, and NoSpace."""
        try:
            return await self.stored.add(body)
        except TooMany as error:
            raise Refused(str(error)) from None

    def add_hub_dataset(self, dataset: HubDataset) -> dict:
        self._check_hub("hub", dataset.hub)
        try:
            return self.stored.add_hub(dataset)
        except TooMany as error:
            raise Refused(str(error)) from None

    def datasets(self) -> list[dict]:
        return self.stored.list()

    def delete_dataset(self, name: str) -> None:
        with self._changing:
            for run in self._runs.values():
                if run.request and run.request.config.task == f"dataset:{name}" and not self.has_ended(run):
                    raise Refused(f"Run {run.id} is trained on this data set and has not ended. Stop it first.")
            try:
                self.stored.delete(name)
            except FileNotFoundError:
                raise Unknown("this data set does not exist here") from None

    async def look_after_forever(self, every: float = 1.0) -> None:
        while True:
            await asyncio.to_thread(self.look_after)
            await asyncio.sleep(every)

    def close(self) -> None:
        """Stops managing; the runs go on."""
        self._sidecar_lock.close()


def tail(path: Path, size: int) -> str:
    """The last bytes of a file as text. A link is not followed."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return file.read(size).decode(errors="replace")
    except OSError:
        return ""
