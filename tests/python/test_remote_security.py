"""Nobody gets into the sidecar who should not, and nothing in a request names code, a path or a reward of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY / "remote" / "src"))

from fastapi.testclient import TestClient  # noqa: E402
from tinythink_remote.__main__ import check, read_token  # noqa: E402
from tinythink_remote.app import create_app  # noqa: E402
from tinythink_remote.config import NewRun  # noqa: E402
from tinythink_remote.events import EventReader, EventWriter, RunIsTaken, read_events  # noqa: E402
from tinythink_remote.files import RunFiles, Status  # noqa: E402
from tinythink_remote.runs import Refused, RunManager  # noqa: E402

TOKEN = "correct-horse-battery-staple"
PAGE = "https://tinythink.example"
HOME = "http://localhost:8790"
UNKNOWN = "0123456789abcdef"


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """Of two models, and runs whose processes are never started."""
    models = tmp_path / "models"
    for name in ("tiny", "other"):
        (models / name).mkdir(parents=True)
        (models / name / "config.json").write_text("{}")
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "config.json").write_text("{}")
    (models / "link").symlink_to(secret)
    monkeypatch.setattr(RunManager, "_start", lambda self, run: None)
    made = RunManager(models, tmp_path / "runs", hub=("Qwen/*",), max_running=50)
    yield made
    made.close()


def client_of(manager, *, host="127.0.0.1", **options) -> TestClient:
    app = create_app(manager, origins=(PAGE,), keep_alive=0.1, **options)
    return TestClient(app, base_url=HOME, client=(host, 50000))


@pytest.fixture
def client(manager):
    return client_of(manager)


def body(remote=None, **config) -> dict:
    return {"config": {"model": "tiny", **config}, **({"remote": remote} if remote else {})}


def bearer(token: str) -> dict:
    return {"Authorization": f"Bearer {token}"}


# Who is answered.


def test_this_machine_needs_no_token_where_there_is_none(client):
    assert client.get("/runs").json() == []


def test_another_machine_is_not_answered_without_a_token(manager):
    for host in ("192.0.2.7", "::ffff:192.0.2.7", "testclient"):
        assert client_of(manager, host=host).get("/runs").status_code == 401


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Real-IP"])
def test_what_a_proxy_passes_on_is_not_from_this_machine(client, name):
    assert client.get("/runs", headers={name: "127.0.0.1"}).status_code == 401


def test_another_name_of_this_machine_is_not_answered_without_a_token(client):
    """A page's own name can be made to resolve to 127.0.0.1."""
    for host in ("evil.example", "evil.example:8790", "localhost.evil.example", ""):
        assert client.get("/runs", headers={"Host": host}).status_code == 403
    for host in ("localhost", "127.0.0.1:8790", "[::1]:8790"):
        assert client.get("/runs", headers={"Host": host}).status_code == 200


def test_token(manager):
    client = client_of(manager, host="192.0.2.7", token=TOKEN)
    for headers in (
        {},
        bearer(""),
        bearer(TOKEN[:-1]),
        bearer(TOKEN + "x"),
        bearer("é" * 20),
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
    ):
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = client.get("/runs", headers=encoded)
        assert answer.status_code == 401 and TOKEN not in answer.text
    assert client.get("/runs", headers=bearer(TOKEN)).status_code == 200
    # With a token, this machine needs it too: others work on it.
    assert client_of(manager, token=TOKEN).get("/runs").status_code == 401
    assert client.get(f"/runs?token={TOKEN}").status_code == 401


def test_every_address_wants_the_token(manager):
    client = client_of(manager, token=TOKEN)
    for route in client.app.routes:
        path = route.path.format(run_id=UNKNOWN, step=1, name="config.json")
        for method in route.methods:
            assert client.request(method, path).status_code == 401, (method, path)


def test_foreign_origin(client):
    for origin in ("https://evil.example", "null", PAGE + ".evil.example", "http://tinythink.example"):
        assert client.get("/runs", headers={"Origin": origin}).status_code == 403
        # As a form would send it, which browsers don't ask about first.
        plain = {"Origin": origin, "Content-Type": "text/plain"}
        assert client.post("/runs", content=json.dumps(body()), headers=plain).status_code == 403
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        answer = client.options("/runs", headers=asked)
        assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers
    assert client.get("/runs").json() == []


def test_listed_origin(manager):
    client = client_of(manager, token=TOKEN)
    asked = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,last-event-id",
    }
    assert client.options("/runs", headers=asked).headers["access-control-allow-origin"] == PAGE
    # A refusal must be readable by the page, or it could only say that something failed.
    refused = client.get("/runs", headers={"Origin": PAGE})
    assert refused.status_code == 401 and refused.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
def test_no_answering_strangers_without_a_token(host, tmp_path):
    with pytest.raises(ValueError, match="token"):
        check(host, None)
    check(host, TOKEN)
    check("127.0.0.1", None)
    command = [
        sys.executable,
        "-m",
        "tinythink_remote",
        "serve",
        "--models",
        tmp_path,
        "--runs",
        tmp_path,
        "--host",
        host,
    ]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "remote" / "src")}
    if host == "0.0.0.0":
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert result.returncode == 2 and "token" in result.stderr


def test_token_file(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        read_token(file)
    file.chmod(0o600)
    assert read_token(file) == TOKEN
    for bad in ("", "short", "with a space in its middle"):
        file.write_text(bad)
        with pytest.raises(ValueError):
            read_token(file)


# What is taken.


def test_oversized_body(manager):
    client = client_of(manager, body_limit=1000)
    assert client.post("/runs", json=body()).status_code == 201
    large = json.dumps(body()) + " " * 1000
    assert client.post("/runs", content=large).status_code == 413

    def pieces():
        for _ in range(100):
            yield b" " * 100

    assert client.post("/runs", content=pieces()).status_code == 413
    lying = {"Content-Length": "-1"}
    assert client.post("/runs", content=b"{}", headers=lying).status_code == 413


@pytest.mark.parametrize(
    "model",
    [
        "../secret",
        "..",
        ".",
        "",
        "/etc",
        "tiny/../../secret",
        "tiny/",
        "/tiny",
        "models/tiny/x",
        "C:\\models",
        "..\\secret",
        "tiny\0",
        "tiny\n",
        "file:tiny",
        "run:../../x@1",
        "run:0123456789abcdef@-1",
        "https://evil.example/model",
        "a" * 200,
        ["tiny"],
        None,
        7,
    ],
)
def test_no_path_in_a_model_name(client, model):
    answer = client.post("/runs", json=body(model=model))
    assert answer.status_code == 422, answer.text
    assert [problem["field"] for problem in answer.json()["detail"]] == ["config.model"]


@pytest.mark.parametrize("model", ["secret", "link", "missing", f"run:{UNKNOWN}@3", "evil/model"])
def test_models_that_are_not_offered(client, model):
    answer = client.post("/runs", json=body(model=model))
    assert answer.status_code == 422, answer.text
    assert [problem["field"] for problem in answer.json()["detail"]] == ["config.model"]


def test_models_that_are(client):
    assert client.get("/info").json()["models"] == ["other", "tiny"]
    for model in ("tiny", "Qwen/Qwen2.5-0.5B-Instruct"):
        assert client.post("/runs", json=body(model=model)).status_code == 201


@pytest.mark.parametrize(
    "config",
    [
        {"reward_weights": {"accuracy": 1, "__import__('os')": 1}},
        {"reward_weights": {"accuracy": 1, "my_reward": 1}},
        {"reward_weights": {"accuracy": "1"}},
        {"reward_weights": {"accuracy": 0, "format": 0}},
        {"reward_funcs": ["os.system"]},
        {"task": "os.system"},
        {"task": "dataset:../../etc"},
        {"difficulty": 99},
        {"cold_start_steps": 5},
        {"cold_start_dataset": "../../etc"},
        {"max_steps": 0},
        {"max_steps": 1_000_000, "num_prompts": 1024},
        {"num_generations": 1},
        {"learning_rate": 0},
        {"trust_remote_code": True},
        {"output_dir": "/tmp"},
    ],
)
def test_configs_that_are_not(client, config):
    answer = client.post("/runs", json=body(**config))
    assert answer.status_code == 422, answer.text
    assert client.get("/runs").json() == []


@pytest.mark.parametrize(
    "remote",
    [
        {"launcher": "bash"},
        {"launcher": "accelerate; rm -rf /", "num_processes": 1},
        {"num_processes": 2},
        {"launcher": "accelerate", "num_processes": 3},
        {"per_device_train_batch_size": 100},
        {"lora": {"r": 8, "target_modules": "x"}},
        {"lora": {"r": 0}},
        {"env": {"LD_PRELOAD": "x"}},
    ],
)
def test_remote_options_that_are_not(client, remote):
    assert client.post("/runs", json=body(remote=remote)).status_code == 422


@pytest.mark.parametrize(
    ("config", "remote", "fields"),
    [
        ({"max_steps": 0}, {}, ["config.max_steps"]),
        ({"num_prompts": 0, "temperature": "hot"}, {}, ["config.num_prompts", "config.temperature"]),
        ({"reward_funcs": ["mine"], "reward_weights": [1]}, {}, ["config.reward_funcs"]),
        ({"reward_funcs": ["accuracy"], "reward_weights": [1, 2]}, {}, ["config.reward_funcs"]),
        ({"reward_weights": {"accuracy": 0, "format": 0}}, {}, ["config.reward_weights"]),
        ({"difficulty": 99}, {}, ["config.difficulty"]),
        ({"task": "os.system"}, {}, ["config.task"]),
        ({}, {"lora": {"r": 0}}, ["remote.lora.r"]),
        ({}, {"num_processes": 2}, ["remote.num_processes"]),
        ({}, {"launcher": "accelerate", "num_processes": 3}, ["remote.num_processes"]),
        ({}, {"per_device_train_batch_size": 100}, ["remote.per_device_train_batch_size"]),
        ({}, {"use_vllm": True}, ["remote.use_vllm"]),
        # An unknown key may be anything, so it isn't repeated.
        ({"<b>": 1}, {}, ["config"]),
        ({}, {"env": {"LD_PRELOAD": "x"}}, ["remote"]),
    ],
)
def test_a_refused_setting_is_named(client, config, remote, fields):
    answer = client.post("/runs", json=body(remote=remote, **config))
    assert answer.status_code == 422, answer.text
    detail = answer.json()["detail"]
    assert [problem["field"] for problem in detail] == fields
    assert all(set(problem) == {"field", "message"} and problem["message"] for problem in detail)
    assert "<b>" not in answer.text and "LD_PRELOAD" not in answer.text and "hot" not in answer.text


def test_numbers_that_json_has_not(client):
    text = json.dumps(body()).replace('"model"', '"learning_rate": NaN, "model"')
    assert client.post("/runs", content=text, headers={"Content-Type": "application/json"}).status_code == 422
    assert client.post("/runs", content="[" * 100_000, headers={"Content-Type": "application/json"}).status_code == 400


@pytest.mark.parametrize("run_id", [UNKNOWN, "..", "%2e%2e", "x", UNKNOWN + "0", UNKNOWN.upper(), "..%2f..%2fetc"])
def test_unknown_run(client, run_id):
    for method, path in (
        ("GET", ""),
        ("GET", "/events"),
        ("GET", "/logs"),
        ("GET", "/checkpoints"),
        ("GET", "/checkpoints/1/config.json"),
        ("POST", "/pause"),
        ("POST", "/stop"),
    ):
        answer = client.request(method, f"/runs/{run_id}{path}")
        assert answer.status_code in ((404,) if run_id == UNKNOWN else (404, 405, 422)), (path, answer.text)


def test_files_of_a_checkpoint(client, manager):
    run = manager.get(client.post("/runs", json=body()).json()["id"])
    folder = run.files.checkpoints / "checkpoint-2"
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "optimizer.pt", "training_args.bin", "trainer_state.json"):
        (folder / name).write_text("x")
    address = f"/runs/{run.id}/checkpoints"
    assert client.get(address).json() == [], "not whole yet"
    assert client.get(f"{address}/2/config.json").status_code == 404
    (folder / "complete").touch()
    (checkpoint,) = client.get(address).json()
    assert checkpoint["step"] == 2
    assert [file["name"] for file in checkpoint["files"]] == ["config.json", "model.safetensors"]
    assert client.get(f"{address}/2/config.json").text == "x"
    for name in ("optimizer.pt", "training_args.bin", "complete", "..%2f..%2frequest.json", "%2e%2e", "x.safetensors"):
        assert client.get(f"{address}/2/{name}").status_code == 404, name


def test_events_go_on_where_a_client_left_off(client, manager):
    run = manager.get(client.post("/runs", json=body()).json()["id"])
    events = [{"type": "step", "text": "a\u2028b\n"}, {"type": "eval"}, {"type": "finished"}]
    run.files.events.write_text("".join(json.dumps(event) + "\n" for event in events) + '{"type": "cut sho')
    run.files.write_status(Status(state="finished", step=2))
    address = f"/runs/{run.id}/events"
    whole = client.get(address)
    assert whole.headers["content-type"].startswith("text/event-stream")
    assert received(whole.text) == [(i, event) for i, event in enumerate(events, 1)]
    assert received(client.get(address, headers={"Last-Event-ID": "2"}).text) == [(3, events[2])]
    assert received(client.get(address, headers={"Last-Event-ID": "3"}).text) == []
    assert whole.text.endswith("event: end\ndata: {}\n\n")
    assert client.get(address, headers={"Last-Event-ID": "4"}).status_code == 400
    for bad in ("x", "-1", "1e3", "9" * 30):
        assert client.get(address, headers={"Last-Event-ID": bad}).status_code == 422


def received(text: str) -> list[tuple[int, dict]]:
    """(id, event) of a stream's run events."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields.get("event") == "run":
            found.append((int(fields["id"]), json.loads(fields["data"])))
    return found


def test_an_ended_run_takes_no_more_commands(client, manager):
    run = manager.get(client.post("/runs", json=body()).json()["id"])
    assert client.post(f"/runs/{run.id}/pause").json() == {"seq": 1}
    assert client.patch(f"/runs/{run.id}", json={"learning_rate": 1e-5}).json() == {"seq": 2}
    assert client.patch(f"/runs/{run.id}", json={"max_steps": 5}).status_code == 422
    nothing = {"reward_weights": {"accuracy": 0, "format": 0, "length": 0}}
    assert client.patch(f"/runs/{run.id}", json=nothing).status_code == 422
    assert client.post(f"/runs/{run.id}/explode").status_code == 404
    run.files.write_status(Status(state="stopped"))
    assert client.post(f"/runs/{run.id}/resume").status_code == 409


def test_datasets(client):
    kind = {"Content-Type": "application/x-ndjson"}
    rows = '{"question": "1+1?", "answer": "so\\n#### 2"}\n{"problem": "2+2?", "answer": 4}\n'
    task = client.post("/datasets", content=rows, headers=kind).json()["task"]
    assert client.post("/runs", json=body(task=task)).status_code == 201
    assert client.post("/runs", json=body(task=f"dataset:{UNKNOWN}")).status_code == 422
    for bad in ("", "{}\n{}", '{"prompt": "x", "answer": "y"}', "[1]\n[2]", "not json\n", "[" * 10_000):
        answer = client.post("/datasets", content=bad, headers=kind)
        assert answer.status_code == 422, bad
    assert client.post("/datasets", content=rows.encode("utf-16"), headers=kind).status_code == 422
    assert client.post("/datasets", content=rows, headers={"Content-Type": "text/plain"}).status_code == 415
    for name in ("../../etc/passwd", "json", "https://evil.example/x", "owner/name/file.py"):
        assert client.post("/datasets", json={"hub": name}).status_code == 422
    assert client.post("/datasets", json={"hub": "evil/data"}).status_code == 422
    assert client.post("/datasets", json={"hub": "Qwen/data", "trust_remote_code": True}).status_code == 422


def test_a_process_that_keeps_dying_is_given_up(manager, monkeypatch):
    starts = []
    monkeypatch.setattr(RunManager, "_start", lambda self, run: starts.append(run.id))
    run = manager.create(NewRun.model_validate(body()))
    run.files.write_status(Status(state="running", step=4))
    for _ in range(10):
        manager.look_after()
    assert len(starts) == 1 + 3
    assert run.files.read_status().state == "failed"
    (event,) = read_events(run.files.events)
    assert event["type"] == "failed" and event["step"] == 4


def test_a_process_that_died_after_its_last_word_is_not_started_again(manager):
    run = manager.create(NewRun.model_validate(body()))
    run.files.write_status(Status(state="running", step=2))
    run.files.events.write_text('{"type":"finished","step":3,"reason":"stopped"}\n')
    manager.look_after()
    assert run.files.read_status().state == "stopped"


def test_a_line_that_a_crash_cut_short_is_no_event(tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_text('{"type":"step"}\n{"type":"st')
    reader = EventReader(file)
    assert reader.count() == 1
    writer = EventWriter(file)
    with pytest.raises(RunIsTaken):
        EventWriter(file)
    writer.append({"type": "failed", "reason": float("nan")})
    writer.close()
    assert reader.read(1) == ['{"type":"step"}', '{"type":"failed","reason":null}']
    assert reader.read(2, 1) == ['{"type":"failed","reason":null}'] and reader.read(3) == []


def test_one_sidecar_a_folder(manager, tmp_path):
    with pytest.raises(Refused, match="another sidecar"):
        RunManager(tmp_path / "models", tmp_path / "runs")


def test_the_settings_of_a_request_are_kept_as_they_were_read(client, manager):
    created = client.post("/runs", json=body(seed=7, task="parity", difficulty=12)).json()
    files = RunFiles(manager.get(created["id"]).files.folder)
    kept = NewRun.model_validate_json(files.request.read_text())
    assert kept.config.model_dump() == created["config"]
    assert created["config"]["seed"] == 7 and created["state"] == "starting"
