"""Runs share GPUs: they load one after the other, each with a port of its own, and what goes wrong there is said in words.

The processes are real and their work is not: each holds its port for as long as it lives, and notes when it loads.
"""

import json
import os
import socket
import subprocess
import sys
import time

import psutil
import pytest
from conftest import REPOSITORY
from test_remote_damage import client_of, open_manager

sys.path.insert(0, str(REPOSITORY / "remote" / "src"))

from tinythink_remote import keeper, launcher, worker  # noqa: E402
from tinythink_remote.causes import cause_of  # noqa: E402
from tinythink_remote.config import RemoteOptions  # noqa: E402
from tinythink_remote.events import read_events  # noqa: E402
from tinythink_remote.files import RunFiles, Status  # noqa: E402
from tinythink_remote.runs import kill_leftovers  # noqa: E402

SOON = 60
BODY = {"config": {"model": "tiny"}}
# vLLM's and PyTorch's own words.
PROFILING = (
    "Error in memory profiling. Initial free memory 134.84 GiB, current free memory 136.01 GiB. This happens when other "
    "processes sharing the same container release GPU memory while vLLM is profiling during initialization."
)
IN_USE = (
    "The server socket has failed to listen on any local network address. port: 29500, useIpv6: false, code: -98, name: "
    "EADDRINUSE, message: address already in use"
)

# A run's process: it loads, which fails as often as its model's name says, and trains until it is told to stop.
PROCESS = """
import json, os, pathlib, socket, sys, time
from tinythink_remote.events import EventWriter
from tinythink_remote.files import RunFiles, Status

files = RunFiles(pathlib.Path.cwd())
port = socket.create_server(("127.0.0.1", int(os.environ["MASTER_PORT"])))
fails = int(json.loads(files.request.read_text())["config"]["seed"])
with open(os.environ["LOADS"], "a") as loads:
    def say(what):
        loads.write(json.dumps([files.folder.name, what, os.environ["MASTER_PORT"], time.monotonic()]) + "\\n")
        loads.flush()
    say("loading")
    time.sleep(0.2)
    while not os.path.exists(os.environ["LOADS"] + ".go"):
        time.sleep(0.02)
    tries = sum(files.folder.name in line and '"loading"' in line for line in open(os.environ["LOADS"]))
    if tries <= fails:
        say("failed")
        os._exit(1)
    say("loaded")
files.write_status(Status(state="running", step=1, pid=os.getpid()))
while files.read_control().state != "stopped":
    time.sleep(0.05)
writer = EventWriter(files.events)
writer.append({"type": "finished", "step": 1, "reason": "stopped"})
files.write_status(Status(state="stopped", step=1, seq=files.read_control().seq))
"""


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A manager of one GPU that isn't there, which looks after its runs when `until` is called."""
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    (tmp_path / "models" / "tiny" / "config.json").write_text("{}")
    monkeypatch.setenv("LOADS", str(tmp_path / "loads"))
    # Nothing finishes loading while this isn't there.
    (tmp_path / "loads.go").touch()
    monkeypatch.setattr(keeper, "launch_command", lambda *_: [sys.executable, "-c", PROCESS])
    manager = open_manager(tmp_path)
    manager.gpus = 1
    yield manager
    for run in manager.list():
        kill_leftovers(run.id)
        if run.process:
            run.process.wait()
    manager.close()


def until(manager, reached) -> None:
    end = time.monotonic() + SOON
    while not reached():
        assert time.monotonic() < end, [(run.id, run.status(), run.waiting) for run in manager.list()]
        manager.look_after()
        time.sleep(0.05)


def start(manager, seed: int = 0):
    return manager.get(client_of(manager).post("/runs", json={"config": {"model": "tiny", "seed": seed}}).json()["id"])


def loads(tmp_path) -> list[list]:
    return [json.loads(line) for line in (tmp_path / "loads").read_text().splitlines()]


def test_runs_load_one_after_the_other(server, tmp_path):
    (tmp_path / "loads.go").unlink()
    runs = [start(server) for _ in range(3)]
    client = client_of(server)
    # All of them are starting, and the page is told why two of them wait.
    assert {client.get(f"/runs/{run.id}").json()["state"] for run in runs} == {"starting"}
    notes = [client.get(f"/runs/{run.id}").json()["note"] for run in runs]
    assert notes[0] is None and all(f"waits until run {runs[0].id} has loaded" in note for note in notes[1:])
    (tmp_path / "loads.go").touch()
    until(server, lambda: all(run.status().state == "running" for run in runs))
    said = loads(tmp_path)
    assert [what for _, what, _, _ in said] == ["loading", "loaded"] * 3, "never two at a time"
    assert [name for name, what, _, _ in said if what == "loaded"] == [run.id for run in runs], "in the order of their creation"
    # Each holds a port of its own.
    assert len({port for _, _, port, _ in said}) == 3 and all(server.is_alive(run) for run in runs)
    assert all(run.restarts == 0 and not run.waiting for run in runs)
    for run in runs:
        client.post(f"/runs/{run.id}/stop")
    until(server, lambda: all(run.status().state == "stopped" for run in runs))


def test_a_run_that_fails_while_it_loads_makes_room_for_the_others(server, tmp_path):
    failing, other = start(server, seed=1), start(server)
    until(server, lambda: failing.status().state == other.status().state == "running")
    whats = [what for _, what, _, _ in loads(tmp_path)]
    assert whats.count("failed") == 1 and whats.count("loaded") == 2
    for first, second in zip(whats[::2], whats[1::2], strict=True):
        assert first == "loading" and second in ("loaded", "failed")
    assert failing.restarts == 1


def test_without_a_gpu_nobody_waits(server):
    server.gpus = 0
    runs = [start(server) for _ in range(2)]
    assert all(run.process and not run.waiting for run in runs)


def test_a_sidecar_that_starts_again_keeps_the_order(server, tmp_path):
    first, second = start(server), start(server)
    server.close()
    again = open_manager(tmp_path)
    again.gpus = 1
    try:
        until(again, lambda: all(run.status().state == "running" for run in again.list()))
        assert [what for _, what, _, _ in loads(tmp_path)] == ["loading", "loaded"] * 2
        assert {name for name, what, _, _ in loads(tmp_path) if what == "loaded"} == {first.id, second.id}
    finally:
        for run in again.list():
            kill_leftovers(run.id)
        again.close()


def test_a_run_that_waits_can_be_stopped_and_deleted(server, tmp_path):
    (tmp_path / "loads.go").unlink()
    client = client_of(server)
    first, second, third = (start(server) for _ in range(3))
    seq = client.post(f"/runs/{second.id}/stop").json()["seq"]
    until(server, lambda: second.status().state == "stopped")
    assert second.status().seq == seq and second.process is None
    assert read_events(second.files.events) == [{"type": "finished", "step": 0, "reason": "stopped"}]
    assert client.delete(f"/runs/{third.id}?stop=true").status_code == 204
    # One that hangs while it loads, too: the next one gets its turn.
    assert client.delete(f"/runs/{first.id}?stop=true").status_code == 204
    assert not psutil.pid_exists(first.process.pid)
    fourth = start(server)
    assert fourth.process and not fourth.waiting


# Ports.


def test_a_port_is_free_and_not_one_that_the_system_gives_away():
    lowest = int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0])
    ports = [launcher.free_port() for _ in range(50)]
    assert len(set(ports)) > 40
    for port in ports:
        assert lowest <= 20_000 or 20_000 <= port < lowest
        socket.create_server(("127.0.0.1", port)).close()


def test_a_port_in_use_is_not_chosen(monkeypatch):
    with socket.create_server(("", 0)) as taken:
        ports = iter([taken.getsockname()[1], 0])
        monkeypatch.setattr(launcher.random, "SystemRandom", lambda: type("Fixed", (), {"randint": lambda *_: next(ports)}))
        assert launcher.free_port() != taken.getsockname()[1]


def test_each_process_is_told_its_port(monkeypatch):
    for name, value in {"MASTER_PORT": "29500", "MASTER_ADDR": "elsewhere", "RANK": "3", "WORLD_SIZE": "8"}.items():
        monkeypatch.setenv(name, value)
    one, other = (launcher.environment("x", RemoteOptions(), gpus=1, hub=False) for _ in range(2))
    assert one["MASTER_ADDR"] == "127.0.0.1" and "RANK" not in one and "WORLD_SIZE" not in one
    assert 1024 < int(one["MASTER_PORT"]) < 65_536 and one["MASTER_PORT"] != other["MASTER_PORT"] != "29500"
    several = launcher.environment("x", RemoteOptions(launcher="accelerate", num_processes=2), gpus=2, hub=False)
    assert not {"MASTER_PORT", "MASTER_ADDR", "RANK", "WORLD_SIZE"} & several.keys(), "accelerate chooses"


def test_trl_keeps_to_the_port(monkeypatch):
    """So that vLLM, which meets its own processes there, does too."""
    from trl.trainer.utils import ensure_master_addr_port

    given = launcher.environment("x", RemoteOptions(), gpus=1, hub=False)
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, given[name])
    ensure_master_addr_port()
    assert {name: os.environ[name] for name in ("MASTER_ADDR", "MASTER_PORT")} == {
        name: given[name] for name in ("MASTER_ADDR", "MASTER_PORT")
    }


# Causes.


@pytest.mark.parametrize(
    ("error", "words", "passes"),
    [
        (RuntimeError(IN_USE), "took the port", True),
        (OSError(98, "Address already in use"), "took the port", True),
        (AssertionError(PROFILING), "gave back memory while vLLM", True),
        (
            ValueError(
                "Free memory on device (12.5/79.1 GiB) on startup is less than desired GPU memory utilization (0.3, 23.7 "
                "GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes."
            ),
            "larger than what other processes leave free",
            False,
        ),
        (ValueError("No available memory for the cache blocks. Try increasing ..."), "too small for the model", False),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."), "The GPU has too little memory", False),
    ],
)
def test_causes_in_words(tmp_path, error, words, passes):
    outer = RuntimeError("Engine core initialization failed.")
    outer.__cause__ = error
    for each in (error, outer):
        cause = cause_of(each, tmp_path)
        assert words in cause.reason and cause.passes is passes
        # For whoever searches for it.
        assert str(error)[:40] in cause.reason


def test_what_is_not_known_is_repeated(tmp_path):
    cause = cause_of(ValueError("odd"), tmp_path)
    assert cause.reason == "ValueError: odd" and not cause.passes


def test_a_cause_that_may_pass_is_tried_again_and_then_named(server, tmp_path, monkeypatch):
    def fail(*_):
        raise AssertionError(PROFILING)

    run = start(server)
    until(server, lambda: run.status().state == "running")
    run.process.kill()
    run.process.wait()
    monkeypatch.setattr(worker, "train", fail)
    monkeypatch.setattr(sys, "argv", ["worker", *(f"--{n}-folder={run.files.folder}" for n in ("run", "models", "datasets"))])
    assert worker.main() == worker.TRY_AGAIN
    assert read_events(run.files.events) == [] and "gave back memory" in run.files.read_status().note
    assert "gave back memory" in client_of(server).get(f"/runs/{run.id}").json()["note"]
    monkeypatch.setattr(keeper, "launch_command", lambda *_: [sys.executable, "-c", ""])
    until(server, lambda: run.status().state == "failed")
    (event,) = read_events(run.files.events)
    assert event["type"] == "failed" and "4 times" in event["reason"] and "gave back memory" in event["reason"]


def test_real_processes_are_told_apart_by_their_environment():
    """What ends a run's leftovers must not end anything else."""
    mine = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={**os.environ, "TINYTHINK_RUN": "x" * 16})
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    kill_leftovers("x" * 16)
    assert not psutil.pid_exists(mine.pid) and other.poll() is None
    other.communicate(b"\n")
