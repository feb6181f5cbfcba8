"""Requests of every kind with random and damaged bodies: each is answered, and none by a failure of the sidecar.

TINYTHINK_FUZZ sets how many; the seed is fixed, so that the same number sends the same requests.
"""

import json
import os
import random
import sys

from conftest import REPOSITORY
from test_remote_damage import open_manager

sys.path.insert(0, str(REPOSITORY / "remote" / "src"))

from fastapi.testclient import TestClient  # noqa: E402
from tinythink_remote.app import create_app  # noqa: E402
from tinythink_remote.runs import RunManager  # noqa: E402

COUNT = int(os.environ.get("TINYTHINK_FUZZ", "300"))
UNKNOWN = "f" * 16
ODD = ["\ud800", "x" * 5000, "\0", "../x", None, True, -1, 0.5, 1e308, 2**70, [], {}, [[[]]], f"dataset:{UNKNOWN}", f"run:{UNKNOWN}@1"]
KINDS = ["application/json"] * 4 + ["application/x-ndjson", "text/plain", "application/json; charset=x", "multipart/form-data", ""]
ROWS = ['{"question": "1+1?", "answer": 2}', '{"question": "\\ud83d", "answer": 1}', "{}", "[", '{"answer": 1e999}', "\u2028", ""]


def body_of(draw: random.Random, config: list[str], remote: list[str]) -> bytes:
    kind = draw.random()
    if kind < 0.2:
        return "\n".join(draw.choice(ROWS) for _ in range(draw.randint(0, 5))).encode()
    value = draw.choice(ODD)
    if kind < 0.8:
        value = {
            "config": {"model": "tiny"} | {draw.choice(config): draw.choice(ODD) for _ in range(draw.choice([0, 0, 1, 2]))},
            "remote": {draw.choice(remote): draw.choice(ODD) for _ in range(draw.choice([0, 0, 1]))},
        }
    body = bytearray(json.dumps(value).encode())
    if draw.random() < 0.3:
        body[draw.randrange(len(body)) :] = draw.randbytes(draw.randint(0, 9))
    return bytes(body)


def test_every_request_is_answered(tmp_path, monkeypatch):
    monkeypatch.setattr(RunManager, "_start", lambda self, run: None)
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    (tmp_path / "models" / "tiny" / "config.json").write_text("{}")
    manager = open_manager(tmp_path)
    app = create_app(manager, keep_alive=0.1)
    options = {"base_url": "http://localhost:8790", "client": ("127.0.0.1", 1), "raise_server_exceptions": False}
    client = TestClient(app, **options)
    run = manager.get(client.post("/runs", json={"config": {"model": "tiny"}}).json()["id"])
    config, remote = ([*part.model_dump(), "other"] for part in (run.request.config, run.request.remote))
    of_run = ["", "/pause", "/stop", "/explode", "/logs?bytes=9", "/checkpoints", "/checkpoints/999999999/config.json"]
    paths = ["/info", *["/runs", "/datasets"] * 4, f"/datasets/{UNKNOWN}", *(f"/runs/{run.id}{rest}" for rest in of_run)]
    paths += [f"/runs/{UNKNOWN}{rest}" for rest in (*of_run, "/events")]
    draw = random.Random(10)
    answered = set()
    for number in range(COUNT):
        method, path = draw.choice(["GET", "POST", "POST", "PATCH", "DELETE", "PUT"]), draw.choice(paths)
        body = body_of(draw, config, remote)
        answer = client.request(method, path, content=body, headers={"Content-Type": draw.choice(KINDS)})
        assert answer.status_code < 500, (number, method, path, body, answer.text)
        assert "Traceback" not in answer.text
        answered.add(answer.status_code)
    assert {200, 201, 404, 405, 409, 422} <= answered
    # It still works.
    assert client.get("/info").status_code == 200 and run.id in {each["id"] for each in client.get("/runs").json()}
    manager.close()
