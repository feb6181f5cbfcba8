"""A full disk: nothing is started that doesn't fit, and what it stops is said in words, once, and frees its place."""

import errno
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import REPOSITORY
from test_remote_damage import client_of, open_manager
from test_remote_run import CONFIG, Sidecar

sys.path.insert(0, str(REPOSITORY / "remote" / "src"))

from tinythink_remote import checkpoints, disk, keeper, worker  # noqa: E402
from tinythink_remote.causes import cause_of  # noqa: E402
from tinythink_remote.events import EventWriter, read_events  # noqa: E402
from tinythink_remote.files import RunFiles, Status  # noqa: E402
from tinythink_remote.runs import RunManager  # noqa: E402
from tinythink_remote.trainer import RunTrainer  # noqa: E402

FULL = OSError(errno.ENOSPC, "No space left on device")
BODY = {"config": {"model": "tiny"}}
MB = 10**6


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """Of a model of a million weights, and runs whose processes are never started."""
    import torch
    from safetensors.torch import save_file

    model = tmp_path / "models" / "tiny"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    save_file({"a": torch.zeros(500, 1000), "b": torch.zeros(500_000, dtype=torch.bfloat16)}, model / "model.safetensors")
    monkeypatch.setattr(RunManager, "_start", lambda self, run: None)
    made = open_manager(tmp_path)
    made._max_running = 1
    yield made
    made.close()


def set_free(monkeypatch, free: float, total: float = 10**9) -> None:
    usage = SimpleNamespace(free=int(free), total=int(total), used=0)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage)


def test_a_run_that_does_not_fit_is_not_started(manager, monkeypatch):
    client = client_of(manager)
    # Of a disk of 1 GB, 50 MB are left free; two checkpoints of this model take 26 MB.
    set_free(monkeypatch, 75 * MB)
    answer = client.post("/runs", json=BODY)
    assert answer.status_code == 507 and "no space left" in answer.json()["detail"]
    assert "26.1 MB" in answer.json()["detail"] and "25.0 MB" in answer.json()["detail"]
    assert list((manager._folder / "runs").iterdir()) == [] and client.get("/runs").json() == []
    # One checkpoint is enough for a run that only saves its end.
    assert client.post("/runs", json={"config": {**BODY["config"], "save_steps": 0}}).status_code == 201
    assert client.get("/info").json()["disk"] == {"free": 25 * MB, "total": 10**9}


def test_an_adapter_takes_next_to_nothing(manager, monkeypatch):
    set_free(monkeypatch, 51 * MB)
    assert client_of(manager).post("/runs", json={**BODY, "remote": {"lora": {"r": 4}}}).status_code == 201


@pytest.mark.parametrize("name", ["mkdir", "write"])
def test_what_a_full_disk_refuses_is_said_and_leaves_nothing(manager, monkeypatch, name):
    client = client_of(manager)

    def full(*_, **__):
        raise FULL

    if name == "mkdir":
        monkeypatch.setattr(Path, "mkdir", full)
    else:
        monkeypatch.setattr(os, "replace", full)
    rows = '{"question": "1+1?", "answer": 2}\n' * 3
    upload = lambda: client.post("/datasets", content=rows, headers={"Content-Type": "application/x-ndjson"})  # noqa: E731
    requests = [lambda: client.post("/runs", json=BODY), *([] if name == "mkdir" else [upload])]
    for send in requests:
        answer = send()
        assert answer.status_code == 507 and "no space left" in answer.json()["detail"], answer.text
    monkeypatch.undo()
    monkeypatch.setattr(RunManager, "_start", lambda self, run: None)
    assert list((manager._folder / "runs").iterdir()) == [] and list(manager.stored.folder.iterdir()) == []
    assert client.post("/runs", json=BODY).status_code == 201


def test_a_data_set_that_does_not_fit_is_not_kept(manager, monkeypatch):
    set_free(monkeypatch, 50 * MB)
    rows = '{"question": "1+1?", "answer": 2}\n' * 3
    answer = client_of(manager).post("/datasets", content=rows, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 507 and list(manager.stored.folder.iterdir()) == []


def test_an_end_that_can_not_be_written_is_held_until_it_can(manager, monkeypatch, caplog):
    client = client_of(manager)
    run = manager.get(client.post("/runs", json=BODY).json()["id"])
    writer = EventWriter(run.files.events)
    writer.append({"type": "step", "step": 4})
    writer.close()
    run.files.write_status(Status(state="running", step=4, pid=1))
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(keeper.time, "monotonic", lambda: clock.now)
    set_free(monkeypatch, 0)
    appending = []

    def full(self, event):
        appending.append(clock.now)
        raise FULL

    with monkeypatch.context() as patch, caplog.at_level(logging.INFO, logger="tinythink_remote"):
        patch.setattr(EventWriter, "append", full)
        for _ in range(600):
            manager.look_after()
            clock.now += 1
        status = client.get(f"/runs/{run.id}").json()
        assert (status["state"], status["step"], status["events"]) == ("failed", 4, 2)
        stream = client.get(f"/runs/{run.id}/events").text
        assert 'id: 2\nevent: run\ndata: {"type":"failed","step":4,"reason":"There is no space left' in stream
        assert client.post(f"/runs/{run.id}/pause").status_code == 409
        # Its place is free for another run, as soon as that fits.
        assert client.post("/runs", json=BODY).status_code == 507
        set_free(monkeypatch, 10**9)
        other = client.post("/runs", json=BODY)
        assert other.status_code == 201
    messages = [record.getMessage() for record in caplog.records if run.id in record.getMessage()]
    assert len(messages) == 2 and "given up" in messages[0] and "no space left" in messages[1]
    assert not any(record.exc_info for record in caplog.records)
    assert len(appending) < 12, "it is tried later and later"
    assert run.files.read_status().state == "running"
    clock.now += 1000
    manager.look_after()
    assert run.files.read_status().state == "failed" and run.ended is None
    assert [event["type"] for event in read_events(run.files.events)] == ["step", "failed"]
    assert client.get(f"/runs/{run.id}").json()["events"] == 2


def test_what_goes_wrong_with_one_run_does_not_concern_the_others(tmp_path, manager, monkeypatch, caplog):
    manager._max_running = 2
    runs = [manager.get(client_of(manager).post("/runs", json=BODY).json()["id"]) for _ in range(2)]
    looked = []

    def look(self, run):
        looked.append(run.id)
        if run is runs[0]:
            raise RuntimeError("odd")

    monkeypatch.setattr(RunManager, "_look_after", look)
    for _ in range(5):
        manager.look_after()
    assert looked.count(runs[1].id) == 5 and looked.count(runs[0].id) == 1
    assert len(caplog.records) == 1


def test_half_an_event_is_taken_back(tmp_path, monkeypatch):
    file = tmp_path / "events.jsonl"
    writer = EventWriter(file)
    writer.append({"type": "step", "step": 1})
    before = file.read_bytes()

    def full(descriptor):
        raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError):
            writer.append({"type": "step", "step": 2})
    assert file.read_bytes() == before
    writer.append({"type": "step", "step": 3})
    assert [event["step"] for event in read_events(file)] == [1, 3]
    writer.close()


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError(errno.EFBIG, "File too large"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"),
        RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"),
    ],
)
def test_every_way_in_which_a_full_disk_shows(tmp_path, monkeypatch, error):
    set_free(monkeypatch, 0)
    outer = ValueError("saving failed")
    outer.__cause__ = error
    for each in (error, outer):
        cause = cause_of(each, tmp_path)
        assert cause.no_space and "no space left" in cause.reason


def test_what_else_fails_is_not_put_down_to_the_disk(tmp_path, monkeypatch):
    set_free(monkeypatch, 10**9)
    for error in (ValueError("no space"), OSError(errno.ENOENT, "No such file"), RuntimeError("PytorchStreamWriter failed")):
        cause = cause_of(error, tmp_path)
        assert not cause.no_space and cause.reason == f"{type(error).__name__}: {error}"


def test_the_process_says_so_even_if_its_log_is_full(tmp_path, monkeypatch):
    files = RunFiles(tmp_path)
    half = files.checkpoints / "checkpoint-1"
    half.mkdir(parents=True)

    def fail(*_):
        raise FULL

    monkeypatch.setattr(worker, "train", fail)
    monkeypatch.setattr(worker.traceback, "print_exc", fail)
    monkeypatch.setattr(sys, "argv", ["worker", *(f"--{n}-folder={tmp_path}" for n in ("run", "models", "datasets"))])
    assert worker.main() == 1
    (event,) = read_events(files.events)
    assert event["type"] == "failed" and "no space left" in event["reason"]
    assert files.read_status().state == "failed" and not half.exists()


# Checkpoints.


@pytest.fixture
def trainer(tmp_path):
    """A trainer without a model, whose checkpoints take 10 MB each."""
    made = object.__new__(RunTrainer)
    made._files = RunFiles(tmp_path / "runs" / ("a" * 16))
    made._checkpoint_size = 10 * MB
    made._request = SimpleNamespace(remote=SimpleNamespace(save_total_limit=2))
    made._config = SimpleNamespace(model="tiny")
    made._run_control = SimpleNamespace(share=lambda ask: ask())
    made.accelerator = SimpleNamespace(wait_for_everyone=lambda: None, is_main_process=True)
    made.model, made.emitted, made.num_iterations = None, [], 1
    made.state = SimpleNamespace(global_step=0)
    made._emit = made.emitted.append

    def save(_model, _trial):
        folder = checkpoints.update_folder(made._files, made.state.global_step)
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(bytes(1000))

    made._save_checkpoint = save
    made._files.folder.mkdir(parents=True)
    return made


def save(trainer, step: int) -> list[int]:
    """The steps whose checkpoints are there after one more was saved."""
    trainer.state.global_step = step
    trainer.save_run()
    return [each["step"] for each in checkpoints.list_checkpoints(trainer._files, 1)]


def test_older_checkpoints_are_deleted(trainer, monkeypatch):
    set_free(monkeypatch, 10**9)
    assert [save(trainer, step) for step in (1, 9, 10, 11)] == [[1], [1, 9], [9, 10], [10, 11]]
    assert [event["step"] for event in trainer.emitted] == [1, 9, 10, 11]


def test_a_checkpoint_that_another_run_starts_from_is_kept(trainer, monkeypatch):
    set_free(monkeypatch, 10**9)
    other = RunFiles(trainer._files.folder.with_name("b" * 16))
    other.folder.mkdir()
    trainer._files.request.write_text(json.dumps({"config": {"num_iterations": 1}}))
    other.request.write_text(json.dumps({"config": {"model": f"run:{'a' * 16}@1", "num_iterations": 1}}))
    # Whatever else lies there is no run.
    (trainer._files.folder.parent / "notes").mkdir()
    assert [save(trainer, step) for step in (1, 2, 3)][-1] == [1, 2, 3]
    other.write_status(Status(state="finished"))
    assert save(trainer, 4) == [3, 4]


def test_space_is_made_before_a_save_and_missed_before_anything_is_written(trainer, monkeypatch):
    set_free(monkeypatch, 10**9)
    assert [save(trainer, step) for step in (1, 2)] == [[1], [1, 2]]
    trainer._checkpoint_size = 10 * MB
    free = iter([55 * MB, 65 * MB])
    usage = lambda folder: SimpleNamespace(free=next(free), total=10**9)  # noqa: E731
    monkeypatch.setattr(disk.shutil, "disk_usage", usage)
    assert save(trainer, 3) == [2, 3], "the older ones made space"
    trainer._checkpoint_size = 10 * MB
    set_free(monkeypatch, 55 * MB)
    with pytest.raises(disk.NoSpace, match="no space left for the checkpoint of step 4 .* 10.0 MB, and 5.0 MB"):
        save(trainer, 4)
    assert [each["step"] for each in checkpoints.list_checkpoints(trainer._files, 1)] == [3]


def test_without_a_limit_no_checkpoint_is_deleted(trainer, monkeypatch):
    trainer._request.remote.save_total_limit = None
    set_free(monkeypatch, 10**9)
    assert [save(trainer, step) for step in range(1, 8)][-1] == list(range(1, 8))
    trainer._checkpoint_size = 10 * MB
    set_free(monkeypatch, 0)
    with pytest.raises(disk.NoSpace):
        save(trainer, 8)
    assert len(checkpoints.list_checkpoints(trainer._files, 1)) == 7


def test_a_run_keeps_few_checkpoints_unless_it_is_asked_to(manager):
    client = client_of(manager)
    assert client.post("/runs", json=BODY).json()["remote"]["save_total_limit"] == 5


# Deleting.


def test_deleting_runs(manager):
    manager._max_running = 5
    client = client_of(manager)
    first = manager.get(client.post("/runs", json=BODY).json()["id"])
    assert client.delete(f"/runs/{first.id}").status_code == 409
    first.files.write_status(Status(state="finished", step=2))
    folder = checkpoints.update_folder(first.files, 2)
    folder.mkdir(parents=True)
    (folder / "complete").touch()
    (folder / "model.safetensors").write_bytes(bytes(5000))
    assert client.get(f"/runs/{first.id}").json()["bytes"] > 5000
    second = client.post("/runs", json={"config": {**BODY["config"], "model": f"run:{first.id}@2"}}).json()["id"]
    refused = client.delete(f"/runs/{first.id}")
    assert refused.status_code == 409 and second in refused.json()["detail"]
    # One that hangs can be ended and deleted at once.
    assert client.delete(f"/runs/{second}?stop=true").status_code == 204
    assert client.delete(f"/runs/{first.id}").status_code == 204
    assert client.delete(f"/runs/{first.id}").status_code == 404
    assert client.get("/runs").json() == [] and list((manager._folder / "runs").iterdir()) == []
    manager.look_after()


def test_a_deletion_that_a_crash_cut_short_is_completed(tmp_path, manager):
    left = manager._folder / "runs" / f"deleted-{'a' * 16}"
    left.mkdir()
    (left / "model.safetensors").touch()
    manager.close()
    again = open_manager(tmp_path)
    assert not left.exists() and again.list() == []
    again.close()


def test_a_data_set_in_use_is_kept(manager):
    client = client_of(manager)
    rows = '{"question": "1+1?", "answer": 2}\n' * 3
    task = client.post("/datasets", content=rows, headers={"Content-Type": "application/x-ndjson"}).json()["task"]
    run = manager.get(client.post("/runs", json={"config": {**BODY["config"], "task": task}}).json()["id"])
    refused = client.delete(f"/datasets/{task[8:]}")
    assert refused.status_code == 409 and run.id in refused.json()["detail"]
    run.files.write_status(Status(state="stopped"))
    assert client.delete(f"/datasets/{task[8:]}").status_code == 204


# A real run on a real full disk.


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_run_on_a_disk_that_fills_up(small_disk, start_model):
    sidecar = Sidecar(small_disk, start_model.parent, "--max-running", "1")
    try:
        config = {**CONFIG, "max_steps": 1000, "eval_steps": 0, "max_completion_length": 8}
        run = sidecar.post("/runs", json={"config": config})["id"]
        steps = (event["step"] for kind, _, event in sidecar.events(run) if kind == "run" and event["type"] == "checkpoint")
        next(steps)
        filler = small_disk / "filler"
        with pytest.raises(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        events = [event for kind, _, event in sidecar.events(run) if kind == "run"]
        assert events[-1]["type"] == "failed" and "no space left" in events[-1]["reason"]
        assert sidecar.get(f"/runs/{run}")["state"] == "failed"
        assert sidecar.get(f"/runs/{run}/checkpoints"), "what was saved is still there"
        # The place is free, and the disk is full.
        refused = sidecar.client.post("/runs", json={"config": config})
        assert refused.status_code == 507 and "no space left" in refused.json()["detail"]
        end = time.monotonic() + 60
        filler.unlink()
        files = RunFiles(small_disk / "runs" / run)
        while files.read_status().state != "failed" and time.monotonic() < end:
            time.sleep(0.1)
        assert files.read_status().state == "failed" and read_events(files.events) == events
        log = (small_disk.parent / "sidecar.log").read_text()
        assert "Traceback" not in log and log.count("no space left") <= 3, log
        assert sidecar.client.delete(f"/runs/{run}").status_code == 204 and sidecar.get("/runs") == []
    finally:
        sidecar.kill()
