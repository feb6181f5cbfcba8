"""The runs of this server: made, listed, told what to do, and kept alive.

A run's process is on its own: it outlives the sidecar, and a sidecar that starts again finds it by the lock that it
holds. One that died without a last word is started again and goes on from its last checkpoint.
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

from .config import CHECKPOINT, DATASET, FOLDER, HUB_ID, RUN_ID, HubDataset, LiveConfig, NewRun
from .events import EventReader
from .files import ENDED, Control, RunFiles, Status, write_json
from .launcher import command, environment, gpu_count, problem_with
from .problems import read_jsonl
from .worker import checkpoint_folder, report_failure

log = logging.getLogger("tinythink_remote")

# Starts without a step in between, after which a run is given up.
MAX_RESTARTS = 3
MAX_DATASETS = 100


class Refused(Exception):
    """A request that can't be met; the message is for the user."""


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
    """`models` holds model folders, `folder` what this sidecar keeps; `hub`: what may come from the Hub, as patterns."""

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
            raise Refused(f"another sidecar works in {self._folder}") from error
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
            raise Unknown("there is no such run")
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
        """Folders with a config.json; links that lead elsewhere are left out."""
        folders = (each for each in self.models.iterdir() if (each / "config.json").is_file())
        return sorted(each.name for each in folders if FOLDER.fullmatch(each.name) and self._is_inside(each))

    def _is_inside(self, folder: Path) -> bool:
        return folder.resolve().parent == self.models

    def checkpoints(self, run: Run) -> list[dict]:
        """Whole ones, oldest first, each with the files that make it a model folder."""
        updates = run.request.config.num_iterations
        found = []
        for folder in run.files.checkpoints.glob("checkpoint-*"):
            number = folder.name.rpartition("-")[2]
            if not number.isdecimal() or not (folder / "complete").exists():
                continue
            files = [
                {"name": each.name, "bytes": each.stat().st_size}
                for each in sorted(folder.iterdir())
                if is_model_file(each.name)
            ]
            found.append({"step": int(number) // updates, "files": files})
        return sorted(found, key=lambda checkpoint: checkpoint["step"])

    def checkpoint_file(self, run: Run, step: int, name: str) -> Path:
        try:
            path = checkpoint_folder(run.files, step) / name
        except FileNotFoundError as error:
            raise Unknown(str(error)) from None
        if not is_model_file(name) or not path.is_file():
            raise Unknown("the checkpoint has no such file")
        return path

    # Making and telling.

    def create(self, request: NewRun) -> Run:
        self._refuse_impossible(request)
        with self._changing:
            running = sum(not self.has_ended(run) for run in self._runs.values())
            if running >= self._max_running:
                raise Refused(f"{running} runs are going on or paused, and this server takes no more: stop one first")
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

    def _refuse_impossible(self, request: NewRun) -> None:
        name, task = request.config.model, request.config.task
        if match := CHECKPOINT.fullmatch(name):
            try:
                checkpoint_folder(self.get(match[1]).files, int(match[2]))
            except (Unknown, FileNotFoundError) as error:
                raise Refused(str(error)) from None
        elif HUB_ID.fullmatch(name):
            self._refuse_unlisted(name)
        elif name not in self.model_names():
            raise Refused(f"there is no model {name} here; there are: {', '.join(self.model_names()) or 'none'}")
        if (match := DATASET.fullmatch(task)) and not (self._datasets / f"{match[1]}.json").exists():
            raise Refused("there is no such data set here")
        problem = problem_with(request.remote, self.gpus)
        if problem:
            raise Refused(problem)

    def _refuse_unlisted(self, hub_id: str) -> None:
        if not any(fnmatchcase(hub_id, pattern) for pattern in self.hub):
            raise Refused(f"{hub_id} may not be had from the Hub: start the sidecar with --hub '{hub_id}'")

    def tell(self, run: Run, change: Callable[[Control, Status], None]) -> int:
        """Changes what a run should be doing. Returns the `seq` that its status reaches when it has seen to it."""
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
        # The whole must still be a config that can run.
        merged = run.request.config.model_dump() | run.files.read_control().live | values
        type(run.request.config).model_validate(merged)

        def change(control: Control, _status: Status) -> None:
            control.live = control.live | values

        return self.tell(run, change)

    def add_dataset(self, jsonl: str) -> dict:
        """Raises ValueError naming the line that is no row."""
        rows = len(read_jsonl(jsonl))
        return self._store_dataset({"rows": rows}, jsonl)

    def add_hub_dataset(self, dataset: HubDataset) -> dict:
        self._refuse_unlisted(dataset.hub)
        return self._store_dataset(dataset.model_dump())

    def _store_dataset(self, described: dict, jsonl: str | None = None) -> dict:
        with self._changing:
            if len(list(self._datasets.glob("*.json"))) >= MAX_DATASETS:
                raise Refused(f"this server keeps {MAX_DATASETS} data sets, and no more")
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

    # Keeping alive.

    def _start(self, run: Run) -> None:
        files, remote = run.files, run.request.remote
        kill_leftovers(run.id)
        lock = os.open(files.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # The lock belongs to the open file, which the process inherits: it is held from its first moment to its last.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with open(files.log, "ab") as output:
                run.process = subprocess.Popen(
                    command(files, remote, self.models, self._datasets, self.gpus),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=environment(run.id, remote, self.gpus, bool(self.hub)),
                    cwd=files.folder,
                    # Signals to the sidecar's group don't reach it.
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
        """Starts again what died without a last word; gives up what keeps dying."""
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
            # It died between its last event and saying so.
            stopped = "stopped" if end.get("reason") == "stopped" else "finished"
            status.state = "failed" if end["type"] == "failed" else stopped
            run.files.write_status(status)
            return
        run.restarts = run.restarts + 1 if status.step == run.step_at_restart else 1
        run.step_at_restart = status.step
        if run.restarts > MAX_RESTARTS:
            reason = f"its process ended {run.restarts} times without a step: see the log"
            report_failure(run.files, RuntimeError(reason))
            return
        log.warning("run %s: its process has ended; starting it again", run.id)
        self._start(run)

    async def look_after_forever(self, every: float = 1.0) -> None:
        while True:
            await asyncio.to_thread(self.look_after)
            await asyncio.sleep(every)

    def close(self) -> None:
        """Leaves the runs going."""
        self._sidecar_lock.close()


def is_model_file(name: str) -> bool:
    """Files of a model folder; the optimizer's state and pickled arguments stay on the server."""
    plain = name in {
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
        "vocab.json",
        "merges.txt",
        "tokenizer.model",
        "adapter_config.json",
        "model.safetensors.index.json",
    }
    return plain or (name.endswith(".safetensors") and "/" not in name and not name.startswith("."))


def kill_leftovers(run_id: str) -> None:
    """Processes of a run whose launcher was killed would hold the GPU's memory."""
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
