"""Keeps runs alive: starts their processes one after the other, starts those again that crash, and ends runs that can't go on.

A run's process is independent: it outlives the sidecar, and a sidecar that starts again finds it by the lock that it
holds. A process that ends without reporting an end is started again and continues from its last checkpoint.
"""

from __future__ import annotations

import fcntl
import logging
import os
import subprocess
import threading
import time
from pathlib import Path

import psutil

from .disk import NoSpace, check_space, is_no_space, no_space_in_words
from .events import EventWriter, RunIsTaken, last_event
from .files import ENDED, Status, end_state
from .launcher import environment, launch_command
from .run import Run

log = logging.getLogger("tinythink_remote")

# A run is given up after this many restarts without a step in between.
MAX_RESTARTS = 3
# Seconds until a run is looked after again when that failed; doubled each time, up to the second one.
FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0


class RunKeeper:
    def __init__(self, models: Path, datasets_folder: Path, hub: tuple[str, ...], gpus: int):
        self.models = models
        self.hub = hub
        self.gpus = gpus
        self._datasets = datasets_folder
        self._runs: dict[str, Run] = {}
        # One process is started at a time, so that two can't both find that no other is loading.
        self._starting = threading.Lock()

    def start_in_turn(self, run: Run) -> bool:
        """Starts a run's process, unless another run is loading on the GPUs: a model that is loaded beside it would change
        the free memory that vLLM is measuring. Then the run waits, and `look_after` starts it."""
        with self._starting:
            if run.deleted:
                return False
            if other := self._loading(run):
                run.waiting = f"The run waits until run {other.id} has loaded its model."
                return False
            run.waiting = ""
            self._start(run)
            return True

    def _loading(self, run: Run) -> Run | None:
        """Another run whose process is loading on the GPUs, or evaluating the model that it has loaded."""
        if self.gpus == 0:
            return None
        others = (each for each in list(self._runs.values()) if each is not run)
        return next((each for each in others if each.status().state == "starting" and self.is_alive(each)), None)

    def _start(self, run: Run) -> None:
        files, remote = run.files, run.request.remote
        kill_leftovers(run.id)
        # "starting" until the process says that it has loaded.
        status = files.read_status()
        status.state, status.pid = "starting", 0
        files.write_status(status)
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
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(lock)
        return False

    def look_after(self) -> None:
        """Restarts processes that ended without reporting an end, and gives up runs whose processes keep ending. What goes
        wrong with one run is logged once, tried again later and later, and doesn't concern the others."""
        for run in sorted(list(self._runs.values()), key=lambda run: run.created):
            if time.monotonic() < run.look_again or run.deleted:
                continue
            try:
                self._look_after(run)
                if run.errors:
                    log.info("run %s can be looked after again", run.id)
                run.error, run.errors = "", 0
            except Exception as error:
                self._put_off(run, error)

    def _put_off(self, run: Run, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        if text != run.error:
            what = no_space_in_words(error) if is_no_space(error) else text
            trace = None if isinstance(error, (OSError, NoSpace)) else error
            log.error("run %s can't be looked after, which is tried again later: %s", run.id, what, exc_info=trace)
        run.error = text
        run.look_again = time.monotonic() + min(LONGEST_WAIT, FIRST_WAIT * 2**run.errors)
        run.errors = min(run.errors + 1, 20)

    def _look_after(self, run: Run) -> None:
        if run.ended:
            self._write_end(run)
        elif not run.problem and run.status().state not in ENDED and not self.is_alive(run):
            self._revive(run)

    def _revive(self, run: Run) -> None:
        status = run.files.read_status()
        if state := end_state(last_event(run.files.events) or {}):
            # The process ended after its last event and before it wrote its status.
            status.state = state
            self._end(run, status, None)
            return
        if run.files.read_control().state == "stopped" and status.pid == 0 and run.reader.count() == 0:
            # It was stopped while it waited to be started.
            status.state, status.seq = "stopped", run.files.read_control().seq
            self._end(run, status, {"type": "finished", "step": 0, "reason": "stopped"})
            return
        try:
            check_space(run.files.folder)
        except NoSpace as error:
            self._give_up(run, status, str(error))
            return
        if run.waiting and run.process is None:
            # It has not been started, so it has not ended either.
            self.start_in_turn(run)
            return
        restarts = run.restarts + 1 if status.step == run.step_at_restart else 1
        if restarts > MAX_RESTARTS:
            reason = f"its process ended {restarts} times without completing a step; see the log"
            self._give_up(run, status, f"{reason}. {status.note}" if status.note else f"RuntimeError: {reason}")
            return
        try:
            if self.start_in_turn(run):
                log.warning("run %s: its process had ended and was started again", run.id)
                run.restarts, run.step_at_restart = restarts, status.step
        except OSError as error:
            if not is_no_space(error):
                raise
            self._give_up(run, status, no_space_in_words(error))

    def _give_up(self, run: Run, status: Status, reason: str) -> None:
        log.error("run %s is given up: %s", run.id, reason)
        status.state = "failed"
        self._end(run, status, {"type": "failed", "step": status.step, "reason": reason})

    def _end(self, run: Run, status: Status, event: dict | None) -> None:
        """Ends a run whose process is gone: at once for whoever asks, and in its files as soon as they can be written."""
        status.pid, status.note = 0, ""
        run.waiting = ""
        run.ended, run.last_words = status, event
        self._write_end(run)

    def _write_end(self, run: Run) -> None:
        if run.last_words:
            try:
                writer = EventWriter(run.files.events)
            except RunIsTaken:
                return
            try:
                writer.append(run.last_words)
            finally:
                writer.close()
            run.last_words = None
        run.files.write_status(run.ended)
        run.ended = None


def kill_leftovers(run_id: str) -> None:
    """Kills processes of a run that have lost their launcher: they would keep the GPU's memory."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("TINYTHINK_RUN") == run_id and process.pid != os.getpid():
                process.kill()
                process.wait(5)
        except (psutil.Error, OSError):
            continue
