"""A disk that was full, or a machine that lost power, leaves files that are empty or cut short: that concerns one run."""

import errno
import json
import os
import sys

import pytest
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "remote" / "src"))

from fastapi.testclient import TestClient  # noqa: E402
from tinythink_remote.app import create_app  # noqa: E402
from tinythink_remote.checkpoints import checkpoint_folder, last_checkpoint, model_path, remove_incomplete  # noqa: E402
from tinythink_remote.events import EventReader, EventWriter, last_event, read_events  # noqa: E402
from tinythink_remote.files import Control, RunFiles, Status, write_json  # noqa: E402
from tinythink_remote.runs import RunManager  # noqa: E402

STEP = {"type": "step", "step": 3, "metrics": {}}
DAMAGED = ["", "{", "nul", "null", "[]", "7", '"x"', "\0" * 64, '{"seq": 1, "sta', "\ufeff{}", "[" * 100_000]
RUNS = ("POST", "pause"), ("POST", "stop"), ("PATCH", ""), ("GET", ""), ("GET", "events"), ("GET", "checkpoints"), ("GET", "logs")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Of a model and two runs: one that has ended after step 3, and one that is running."""
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    (tmp_path / "models" / "tiny" / "config.json").write_text("{}")
    monkeypatch.setattr(RunManager, "_start", lambda self, run: None)
    manager = open_manager(tmp_path)
    client = client_of(manager)
    for name in ("ended", "other"):
        run = manager.get(client.post("/runs", json={"config": {"model": "tiny"}}).json()["id"])
        (tmp_path / name).symlink_to(run.files.folder)
        writer = EventWriter(run.files.events)
        writer.append(STEP)
        writer.close()
    ended = RunFiles((tmp_path / "ended").resolve())
    writer = EventWriter(ended.events)
    writer.append({"type": "finished", "step": 3, "reason": "max_steps"})
    writer.close()
    ended.write_status(Status(state="finished", step=3, seq=2))
    manager.close()
    return tmp_path


def open_manager(folder) -> RunManager:
    return RunManager(folder / "models", folder / "runs", max_running=50)


def client_of(manager) -> TestClient:
    app = create_app(manager, keep_alive=0.1)
    return TestClient(app, base_url="http://localhost:8790", client=("127.0.0.1", 50000))


def id_of(folder, name: str) -> str:
    return (folder / name).resolve().name


@pytest.mark.parametrize("text", DAMAGED)
@pytest.mark.parametrize("file", ["status.json", "control.json", "request.json"])
def test_a_damaged_file_concerns_its_run_alone(folder, file, text):
    (folder / "ended" / file).write_text(text)
    manager = open_manager(folder)
    client = client_of(manager)
    ended, other = id_of(folder, "ended"), id_of(folder, "other")
    runs = {run["id"]: run for run in client.get("/runs").json()}
    assert runs.keys() == {ended, other}
    assert runs[other]["note"] is None and client.post(f"/runs/{other}/pause").status_code == 200
    # The events say how it ended.
    assert (runs[ended]["state"], runs[ended]["step"]) == ("finished", 3)
    stream = client.get(f"/runs/{ended}/events").text
    assert '"finished"' in stream and stream.endswith("event: end\ndata: {}\n\n")
    if file == "request.json":
        assert "request.json can't be read" in runs[ended]["note"] and runs[ended]["config"] is None
    else:
        assert runs[ended]["note"] is None and runs[ended]["config"]["model"] == "tiny"
    for method, path in RUNS:
        answer = client.request(method, f"/runs/{ended}/{path}".rstrip("/"), json={} if method != "GET" else None)
        assert answer.status_code in (200, 409), (method, path, answer.text)
    manager.look_after()
    assert client.delete(f"/runs/{ended}").status_code == 204
    assert [run["id"] for run in client.get("/runs").json()] == [other]
    manager.close()


@pytest.mark.parametrize("change", [{"step": "3"}, {"step": -1}, {"seq": 10**400}, {"step": 2**53}, {"seq": None}, {"state": "resting"}, {"pid": True}])
def test_a_status_of_wrong_values_is_damaged(folder, change):
    files = RunFiles((folder / "ended").resolve())
    files.status.write_text(json.dumps(json.loads(files.status.read_text()) | change))
    assert files.damage() == ["status.json"]
    assert (files.read_status().state, files.read_status().step) == ("finished", 3)


def test_a_status_of_another_version_is_read(folder):
    files = RunFiles((folder / "ended").resolve())
    files.status.write_text(json.dumps(json.loads(files.status.read_text()) | {"mood": "good"}))
    assert files.damage() == [] and files.read_status().seq == 2


def test_a_run_goes_on_without_its_control_file(folder):
    files = RunFiles((folder / "other").resolve())
    files.write_status(Status(state="paused", step=3, seq=5, save=1))
    files.control.write_text("")
    assert files.read_control() == Control(seq=5, state="paused", until=3, save=1)
    manager = open_manager(folder)
    assert client_of(manager).post(f"/runs/{id_of(folder, 'other')}/resume").json() == {"seq": 6}
    assert files.damage() == [] and files.read_control().state == "running"
    manager.close()


def test_a_link_in_place_of_a_run_is_left_alone(folder):
    (folder / "runs" / "runs" / ("f" * 16)).symlink_to(folder / "models")
    manager = open_manager(folder)
    assert "f" * 16 not in {run.id for run in manager.list()}
    manager.close()


@pytest.mark.parametrize("line", [b"", b"{", b"\0" * 50, b'{"type": "st', b"null", b"7", b"\xff\xfe", b"{}", b"[" * 100_000])
def test_a_damaged_event_keeps_its_number(tmp_path, line):
    file = tmp_path / "events.jsonl"
    good = [json.dumps(event).encode() for event in (STEP, {"type": "eval", "step": 3})]
    file.write_bytes(b"\n".join([good[0], line, good[1]]) + b"\n")
    reader = EventReader(file)
    assert reader.count() == 3
    first, lost, last = map(json.loads, reader.read(1))
    assert (first, last) == (STEP, {"type": "eval", "step": 3})
    assert (lost["type"], lost["step"], lost["resumes_from"]) == ("interrupted", 3, 3) and "damaged" in lost["reason"]
    assert [json.loads(each)["type"] for each in reader.read(2, 1)] == ["interrupted"]
    assert read_events(file) == [first, last] and last_event(file) == last
    file.write_bytes(good[0] + b"\n" + line + b"\n" + b'{"type": "cut')
    assert last_event(file) == STEP


def test_the_last_event_is_found_behind_long_ones(tmp_path):
    file = tmp_path / "events.jsonl"
    long = {"type": "step", "text": "x" * 300_000}
    file.write_text(json.dumps(long) + "\n")
    assert last_event(file) == long
    file.write_text("".join(json.dumps({"type": "step", "step": i, "text": "x" * 70_000}) + "\n" for i in range(5)))
    assert last_event(file)["step"] == 4
    assert last_event(tmp_path / "none") is None


@pytest.mark.parametrize("cut", [0, 1, 70_000, 200_000])
def test_only_the_line_that_was_cut_short_is_removed(tmp_path, cut):
    file = tmp_path / "events.jsonl"
    whole = json.dumps(STEP).encode() + b"\n"
    for before in (b"", whole, whole * 3):
        file.write_bytes(before + b"x" * cut)
        EventWriter(file).close()
        assert file.read_bytes() == before


def test_what_is_read_at_once_is_bounded(tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps({"type": "step", "step": i, "text": "x" * 1000}) + "\n" for i in range(10)))
    reader = EventReader(file)
    assert len(reader.read(1, 16, most_bytes=3500)) == 3
    assert len(reader.read(1, 16, most_bytes=1)) == 1, "one event is always read"
    assert [json.loads(line)["step"] for line in reader.read(10)] == [9] and reader.read(11) == []


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "status.json"
    write_json(file, {"step": 1})
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(descriptor), real(descriptor)))
    write_json(file, {"step": 2})
    # The file, and the folder with its name.
    assert len(synced) == 2

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError):
        write_json(file, {"step": 3})
    assert json.loads(file.read_text()) == {"step": 2} and list(tmp_path.iterdir()) == [file]


def test_a_damaged_data_set_is_listed_and_can_be_deleted(folder):
    manager = open_manager(folder)
    client = client_of(manager)
    rows = '{"question": "1+1?", "answer": 2}\n' * 3
    kind = {"Content-Type": "application/x-ndjson"}
    tasks = [client.post("/datasets", content=rows, headers=kind).json()["task"] for _ in range(2)]
    for text in ("", "[]", '{"rows": "3"}', '{"rows": -1}', '{"hub": 7}', '{"rows"'):
        (manager.stored.folder / f"{tasks[0][8:]}.json").write_text(text)
        (damaged,) = (each for each in client.get("/datasets").json() if each["task"] == tasks[0])
        assert damaged.keys() == {"task", "problem"}, text
    listed = {each["task"]: each for each in client.get("/datasets").json()}
    assert listed[tasks[1]] == {"task": tasks[1], "rows": 3} and "can't be read" in listed[tasks[0]]["problem"]
    for task in tasks:
        assert client.delete(f"/datasets/{task[8:]}").status_code == 204
        assert client.delete(f"/datasets/{task[8:]}").status_code == 404
    assert client.get("/datasets").json() == [] and list(manager.stored.folder.iterdir()) == []
    manager.close()


def test_links_in_a_checkpoint_are_not_followed(folder):
    manager = open_manager(folder)
    client, ended = client_of(manager), id_of(folder, "ended")
    secret = folder / "secret"
    secret.mkdir()
    for name in ("config.json", "model.safetensors"):
        (secret / name).write_text("secret")
    files = RunFiles((folder / "ended").resolve())
    whole, linked = files.checkpoints / "checkpoint-1", files.checkpoints / "checkpoint-2"
    whole.mkdir(parents=True)
    for name in ("config.json", "complete"):
        (whole / name).write_text("own")
    (whole / "model.safetensors").symlink_to(secret / "model.safetensors")
    (secret / "complete").touch()
    linked.symlink_to(secret)
    address = f"/runs/{ended}/checkpoints"
    assert [(each["step"], [file["name"] for file in each["files"]]) for each in client.get(address).json()] == [
        (1, ["config.json"])
    ]
    assert client.get(f"{address}/1/config.json").text == "own"
    for path in ("1/model.safetensors", "2/config.json", "2/model.safetensors"):
        assert client.get(f"{address}/{path}").status_code == 404, path
    with pytest.raises(ValueError, match="links"):
        model_path(f"run:{ended}@1", folder / "models", files.folder.parent)
    with pytest.raises(FileNotFoundError):
        checkpoint_folder(files, 2)
    files.log.symlink_to(secret / "config.json")
    assert client.get(f"/runs/{ended}/logs").text == ""
    # Deleting a run deletes its links, and not what they lead to.
    assert client.delete(f"/runs/{ended}").status_code == 204
    assert (secret / "config.json").read_text() == "secret" and not files.folder.exists()
    manager.close()


def test_a_process_that_was_killed_in_a_save_goes_on_from_the_checkpoint_before(folder):
    manager = open_manager(folder)
    client, ended = client_of(manager), id_of(folder, "ended")
    files = RunFiles((folder / "ended").resolve())
    whole, half = (files.checkpoints / f"checkpoint-{step}" for step in (1, 2))
    for each in (whole, half):
        each.mkdir(parents=True)
        (each / "config.json").write_text("{}")
    (whole / "complete").touch()
    address = f"/runs/{ended}/checkpoints"
    assert [each["step"] for each in client.get(address).json()] == [1]
    assert client.get(f"{address}/2/config.json").status_code == 404
    events = [{"type": "checkpoint", "step": step} for step in (1, 2)]
    assert last_checkpoint(files, events) == whole
    # What else lies there is left alone.
    (files.checkpoints / "checkpoint-best").mkdir()
    remove_incomplete(files)
    assert whole.exists() and not half.exists() and (files.checkpoints / "checkpoint-best").exists()
    manager.close()
