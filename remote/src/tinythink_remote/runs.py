"""The runs of this server: creates and lists them, passes commands to them, and restarts those that crash.

A run's process is independent: it outlives the sidecar, and a sidecar that starts again finds it by the lock that it
holds. A process that ends without reporting an end is started again and continues from its last checkpoint.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import secrets
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import psutil

from .checkpoints import checkpoint_folder, is_model_file, list_checkpoints
from .config import CHECKPOINT, DATASET, FOLDER, HUB_ID, RUN_ID, FieldError, HubDataset, LiveConfig, NewRun
from .events import EventReader
from .files import ENDED, Control, RunFiles, Status, write_json
from .launcher import check_options, environment, gpu_count, launch_command
from .problems import read_jsonl
from .worker import report_failure

log = logging.getLogger("tinythink_remote")

# A run is given up after this many restarts without a step in between.
MAX_RESTARTS = 3
MAX_DATASETS = 100


class Refused(Exception):
    """A request that can't be carried out now. The message is for the user."""


class Unknown(Exception):
    """There is no such run, checkpoint or file."""


@dataclass
class Run:
    files: RunFiles
    request: NewRun
    created: float
    reader: EventReader
    process: subprocess.Popen | None = None
    restarts: int = 0
    step_at_restart: int = -1
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def id(self) -> str:
        return self.files.folder.name


class RunManager:
    """`models` contains the model folders and `folder` what this sidecar stores. `hub` lists patterns of the models and data
    sets on the Hub that may be used."""

    def __init__(self, models: Path, folder: Path, hub: tuple[str, ...] = (), max_running: int = 2):
        self.models = models.resolve()
        self.hub = hub
        self.gpus = gpu_count()
        self._max_running = max_running
        self._folder = folder.resolve()
        self._runs_folder = self._folder / "runs"
        self._datasets = self._folder / "datasets"
        for each in (self._runs_folder, self._datasets):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sidecar_lock = open(self._folder / "sidecar.lock", "w")
        try:
            fcntl.flock(self._sidecar_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused(f"another sidecar is using {self._folder}") from error
        self._runs: dict[str, Run] = {}
        self._changing = threading.Lock()
        for each in self._runs_folder.iterdir():
            if RUN_ID.fullmatch(each.name) and (each / "request.json").exists():
                self._runs[each.name] = self._load(each)

    @staticmethod
    def _load(folder: Path) -> Run:
        files = RunFiles(folder)
        request = NewRun.model_validate_json(files.request.read_text())
        return Run(files, request, files.request.stat().st_mtime, EventReader(files.events))

    # Reading.

    def list(self) -> list[Run]:
        """Newest first."""
        return sorted(self._runs.values(), key=lambda run: -run.created)

    def get(self, run_id: str) -> Run:
        if run_id not in self._runs:
            raise Unknown("this run does not exist")
        return self._runs[run_id]

    def describe(self, run: Run) -> dict:
        status = run.files.read_status()
        return {
            "id": run.id,
            "created": run.created,
            "state": status.state,
            "step": status.step,
            "seq": status.seq,
            "save": status.save,
            "events": run.reader.count(),
            "config": run.request.config.model_dump(),
            "remote": run.request.remote.model_dump(),
        }

    def has_ended(self, run: Run) -> bool:
        return run.files.read_status().state in ENDED

    def model_names(self) -> list[str]:
        """Folders with a config.json. Links to other places are left out."""
        folders = (each for each in self.models.iterdir() if (each / "config.json").is_file())
        return sorted(each.name for each in folders if FOLDER.fullmatch(each.name) and self._is_inside(each))

    def _is_inside(self, folder: Path) -> bool:
        return folder.resolve().parent == self.models

    def checkpoints(self, run: Run) -> list[dict]:
        """The complete checkpoints, oldest first."""
        return list_checkpoints(run.files, run.request.config.num_iterations)

    def checkpoint_file(self, run: Run, step: int, name: str) -> Path:
        try:
            path = checkpoint_folder(run.files, step) / name
        except FileNotFoundError as error:
            raise Unknown(str(error)) from None
        if not is_model_file(name) or not path.is_file():
            raise Unknown("the checkpoint has no such file")
        return path

    # Creating runs and passing commands to them.

    def create(self, request: NewRun) -> Run:
        self._check_possible(request)
        with self._changing:
            running = sum(not self.has_ended(run) for run in self._runs.values())
            if running >= self._max_running:
                raise Refused(f"{running} runs are running or paused, which is all that this server allows. Stop one first.")
            folder = self._runs_folder / secrets.token_hex(8)
            folder.mkdir(mode=0o700)
            files = RunFiles(folder)
            files.write_control(Control(state="paused" if request.paused else "running"))
            files.write_status(Status())
            write_json(files.request, request.model_dump())
            run = self._load(folder)
            self._runs[run.id] = run
            self._start(run)
        return run

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
        if (match := DATASET.fullmatch(task)) and not (self._datasets / f"{match[1]}.json").exists():
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
            change(control, run.files.read_status())
            control.seq += 1
            run.files.write_control(control)
            return control.seq

    def update(self, run: Run, live: LiveConfig) -> int:
        values = live.model_dump(exclude_none=True)
        # The changed config must still be valid as a whole.
        merged = run.request.config.model_dump() | run.files.read_control().live | values
        type(run.request.config).model_validate(merged)

        def change(control: Control, _status: Status) -> None:
            control.live = control.live | values

        return self.command(run, change)

    def add_dataset(self, jsonl: str) -> dict:
        """Raises ValueError naming the line that is wrong."""
        rows = len(read_jsonl(jsonl))
        return self._store_dataset({"rows": rows}, jsonl)

    def add_hub_dataset(self, dataset: HubDataset) -> dict:
        self._check_hub("hub", dataset.hub)
        return self._store_dataset(dataset.model_dump())

    def _store_dataset(self, described: dict, jsonl: str | None = None) -> dict:
        with self._changing:
            if len(list(self._datasets.glob("*.json"))) >= MAX_DATASETS:
                raise Refused(f"this server stores at most {MAX_DATASETS} data sets")
            name = secrets.token_hex(8)
            if jsonl is not None:
                (self._datasets / f"{name}.jsonl").write_text(jsonl)
            write_json(self._datasets / f"{name}.json", described)
        return {"task": f"dataset:{name}", **described}

    def datasets(self) -> list[dict]:
        return [
            {"task": f"dataset:{path.stem}", **json.loads(path.read_text())}
            for path in sorted(self._datasets.glob("*.json"))
        ]

    # Keeping runs alive.

    def _start(self, run: Run) -> None:
        files, remote = run.files, run.request.remote
        kill_leftovers(run.id)
        lock = os.open(files.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # The lock belongs to the open file, which the process inherits, so it is held for as long as the process lives.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with open(files.log, "ab") as output:
                run.process = subprocess.Popen(
                    launch_command(files, remote, self.models, self._datasets, self.gpus),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=environment(run.id, remote, self.gpus, bool(self.hub)),
                    cwd=files.folder,
                    # Signals to the sidecar's process group, such as Ctrl+C, don't reach it.
                    start_new_session=True,
                    pass_fds=(lock,),
                )
        finally:
            os.close(lock)

    def is_alive(self, run: Run) -> bool:
        if run.process:
            run.process.poll()
        try:
            lock = os.open(run.files.lock, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(lock)
        return False

    def look_after(self) -> None:
        """Restarts processes that ended without reporting an end, and gives up runs whose processes keep ending."""
        for run in list(self._runs.values()):
            try:
                if not self.has_ended(run) and not self.is_alive(run):
                    self._revive(run)
            except Exception:
                log.exception("looking after run %s", run.id)

    def _revive(self, run: Run) -> None:
        status = run.files.read_status()
        count = run.reader.count()
        end = json.loads(run.reader.read(count)[0]) if count else {}
        if end.get("type") in ("finished", "failed"):
            # The process ended after its last event and before it wrote its status.
            stopped = "stopped" if end.get("reason") == "stopped" else "finished"
            status.state = "failed" if end["type"] == "failed" else stopped
            run.files.write_status(status)
            return
        run.restarts = run.restarts + 1 if status.step == run.step_at_restart else 1
        run.step_at_restart = status.step
        if run.restarts > MAX_RESTARTS:
            reason = f"its process ended {run.restarts} times without completing a step; see the log"
            report_failure(run.files, RuntimeError(reason))
            return
        log.warning("run %s: its process has ended; starting it again", run.id)
        self._start(run)

    async def look_after_forever(self, every: float = 1.0) -> None:
        while True:
            await asyncio.to_thread(self.look_after)
            await asyncio.sleep(every)

    def close(self) -> None:
        """Stops managing; the runs go on."""
        self._sidecar_lock.close()


def kill_leftovers(run_id: str) -> None:
    """Kills processes of a run that have lost their launcher: they would keep the GPU's memory."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("TINYTHINK_RUN") == run_id and process.pid != os.getpid():
                process.kill()
                process.wait(5)
        except (psutil.Error, OSError):
            continue


def tail(path: Path, size: int) -> str:
    """The last bytes of a file as text."""
    if not path.exists():
        return ""
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - size))
        return file.read().decode(errors="replace")
