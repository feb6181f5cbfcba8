"""Many clients, and clients that send or read nothing: they are bounded in number and in time, and others are answered."""

import asyncio
import json
import socket
import sys
import threading
import time
from contextlib import contextmanager, suppress

import httpx
import pytest
import uvicorn
from conftest import REPOSITORY
from test_remote_damage import client_of, folder, id_of, open_manager  # noqa: F401

sys.path.insert(0, str(REPOSITORY / "remote" / "src"))

from tinythink_remote import datasets, streams  # noqa: E402
from tinythink_remote.app import create_app  # noqa: E402
from tinythink_remote.connections import GuardedProtocol  # noqa: E402
from tinythink_remote.files import RunFiles, Status  # noqa: E402
from tinythink_remote.security import TokenGuard  # noqa: E402

# Seconds in which a test waits for what must happen soon.
SOON = 60


class Impatient(GuardedProtocol):
    headers_limit = 0.3
    reading_limit = 0.3


@contextmanager
def served(app, protocol=GuardedProtocol):
    """The server and its port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, http=protocol, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield server, listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def connect(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=SOON)
    return client


async def endless(scope, receive, send):
    """An app that answers /short at once, and sends without end otherwise."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while scope["path"] != "/short":
        await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"short"})


# Connections.


@pytest.mark.parametrize("sent", [b"", b"GET /short HT", b"GET /short HTTP/1.1\r\nHost: localhost\r\nX-Long: "])
def test_a_request_that_does_not_arrive(sent):
    with served(endless, Impatient) as (_, port), connect(port) as client:
        client.sendall(sent)
        assert closed(client)


def closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


def test_a_request_that_arrives_byte_by_byte():
    with served(endless, Impatient) as (_, port), connect(port) as client:
        with pytest.raises(OSError):
            for _ in range(10_000):
                client.sendall(b"G")
                time.sleep(0.05)


def test_a_second_request_that_does_not_arrive():
    with served(endless, Impatient) as (_, port), connect(port) as client:
        client.sendall(b"GET /short HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"0\r\n\r\n"):
            answer += client.recv(1000)
        assert b"short" in answer
        client.sendall(b"GET /sho")
        assert closed(client)


def test_a_client_that_reads_nothing():
    with served(endless, Impatient) as (server, port), connect(port) as client:
        client.sendall(b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.recv(1)
        assert len(server.server_state.connections) == 1
        end = time.monotonic() + SOON
        while server.server_state.connections and time.monotonic() < end:
            time.sleep(0.05)
        assert not server.server_state.connections


def test_a_client_that_reads_slowly_is_served():
    with served(endless, Impatient) as (server, port), connect(port) as client:
        client.sendall(b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(20):
            assert client.recv(1 << 22)
            time.sleep(0.03)
        assert len(server.server_state.connections) == 1


@pytest.mark.parametrize("path", ["/runs", "/datasets"])
def test_a_body_that_does_not_arrive(path):
    read, sent = [], []

    async def app(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        read.append(True)

    async def receive():
        if not sent_parts:
            sent_parts.append(1)
            return {"type": "http.request", "body": b"{", "more_body": True}
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    sent_parts = []
    guard = TokenGuard(app, None, streamed={"/datasets": 100}, limit=100, silence=0.1)
    scope = {"type": "http", "path": path, "headers": [], "client": ("127.0.0.1", 1)}
    asyncio.run(guard(scope, receive, send))
    assert not read and sent[0]["status"] == 408


# Streams.


def with_events(run_folder, count: int, size: int) -> RunFiles:
    files = RunFiles(run_folder.resolve())
    event = {"type": "step", "step": 1, "text": "x" * size}
    files.events.write_text("".join(json.dumps(event | {"step": i}) + "\n" for i in range(count)))
    return files


def test_info_is_answered_beside_two_hundred_clients_that_replay(folder):  # noqa: F811
    """No time is asserted, since the machine may be busy with other things; that all of them still replay is."""
    with_events(folder / "other", 200, 200_000)
    manager = open_manager(folder)
    run = id_of(folder, "other")
    with served(create_app(manager)) as (_, port):
        ended = threading.Event()
        request = f"GET /runs/{run}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        clients = [connect(port) for _ in range(200)]
        statuses = []

        def replay(client: socket.socket) -> None:
            client.sendall(request)
            statuses.append(int(client.recv(1 << 16).split()[1]))
            with suppress(OSError):
                while not ended.is_set() and client.recv(1 << 20):
                    pass

        threads = [threading.Thread(target=replay, args=(client,), daemon=True) for client in clients]
        for thread in threads:
            thread.start()
        with httpx.Client(base_url=f"http://localhost:{port}", timeout=SOON) as asking:
            while len(statuses) < 200:
                time.sleep(0.01)
            times = []
            for _ in range(5):
                started = time.monotonic()
                assert asking.get("/info").status_code == 200
                times.append(time.monotonic() - started)
            assert asking.get(f"/runs/{run}").json()["events"] == 200
        # 40 MB for each client are more than they can have been sent by then.
        replaying = sum(thread.is_alive() for thread in threads)
        print("seconds until /info was answered:", [round(each, 3) for each in times])
        assert statuses.count(200) == streams.MOST_OF_A_RUN and statuses.count(503) == 200 - streams.MOST_OF_A_RUN
        assert replaying >= streams.MOST_OF_A_RUN
        ended.set()
        for client in clients:
            client.close()
    manager.close()


def test_a_place_is_free_again_when_a_client_leaves(folder, monkeypatch):  # noqa: F811
    monkeypatch.setattr(streams, "MOST_OF_A_RUN", 2)
    manager = open_manager(folder)
    run = id_of(folder, "other")
    with served(create_app(manager)) as (_, port), httpx.Client(base_url=f"http://localhost:{port}", timeout=SOON) as client:
        address = f"/runs/{run}/events"
        with client.stream("GET", address) as first, client.stream("GET", address) as second:
            assert (first.status_code, second.status_code) == (200, 200)
            refused = client.get(address)
            assert refused.status_code == 503 and refused.headers["retry-after"] == str(streams.RETRY_AFTER)
            assert "2 clients watch this run" in refused.json()["detail"]
            # Another run can be watched.
            assert client.get(f"/runs/{id_of(folder, 'ended')}/events").status_code == 200
        end = time.monotonic() + SOON
        while time.monotonic() < end:
            with client.stream("GET", address) as again:
                if again.status_code == 200:
                    break
            time.sleep(0.05)
        assert again.status_code == 200
    manager.close()


def test_clients_of_a_run_share_their_looks_at_it(folder, monkeypatch):  # noqa: F811
    manager = open_manager(folder)
    run = manager.get(id_of(folder, "other"))
    looks = []
    real = type(run.files).read_status
    monkeypatch.setattr(type(run.files), "read_status", lambda self: (looks.append(time.monotonic()), real(self))[1])
    watching = streams.Streams(keep_alive=60)

    async def watch() -> None:
        async for piece in watching.events(run, 0):
            if b"event: end" in piece:
                return

    async def all_of_them() -> None:
        clients = [asyncio.create_task(watch()) for _ in range(50)]
        await asyncio.sleep(1)
        run.files.write_status(Status(state="finished", step=3))
        await asyncio.gather(*clients)

    asyncio.run(all_of_them())
    # Not once for each of the 50 clients: at most about ten times a second for all of them.
    assert len(looks) <= 10 * (looks[-1] - looks[0]) + 10
    manager.close()


def test_a_deleted_run_ends_its_streams(folder):  # noqa: F811
    manager = open_manager(folder)
    run = id_of(folder, "other")
    with served(create_app(manager)) as (_, port), httpx.Client(base_url=f"http://localhost:{port}", timeout=SOON) as client:
        with client.stream("GET", f"/runs/{run}/events") as stream:
            lines = stream.iter_lines()
            while next(lines) != "event: state":
                pass
            assert client.delete(f"/runs/{run}?stop=true").status_code == 204
            assert "event: end" in list(lines)
    manager.close()


# Data sets.


def test_a_data_set_is_read_line_by_line(folder, monkeypatch):  # noqa: F811
    """In pieces that are cut anywhere, also inside a character."""
    manager = open_manager(folder)
    client = client_of(manager)
    kind = {"Content-Type": "application/x-ndjson"}
    rows = "".join(json.dumps({"question": f"{i}+é 😀?", "answer": i}, ensure_ascii=False) + "\n" for i in range(50)).encode()
    for size in (1, 7, 1000):
        pieces = (rows[at : at + size] for at in range(0, len(rows), size))
        answer = client.post("/datasets", content=pieces, headers=kind)
        assert answer.status_code == 201 and answer.json()["rows"] == 50
        assert (manager.stored.folder / f"{answer.json()['task'][8:]}.jsonl").read_bytes() == rows
    before = sorted(manager.stored.folder.iterdir())
    monkeypatch.setattr(datasets, "MAX_LINE", 200)
    for bad, line in ((b"x" * 201, 1), (rows + b'{"question": 1}\n', 51), (rows + b" " * 300 + b"\n" + rows, 51)):
        answer = client.post("/datasets", content=(bad[at : at + 50] for at in range(0, len(bad), 50)), headers=kind)
        assert answer.status_code == 422 and answer.json()["detail"][0]["message"].startswith(f"line {line}:")
    surrogate = rows + b'{"question": "\\ud83d?", "answer": 1}\n'
    answer = client.post("/datasets", content=surrogate, headers=kind)
    assert answer.status_code == 422 and "line 51: contains half of a character" in answer.json()["detail"][0]["message"]
    cut = rows[: rows.index("😀".encode()) + 2]
    assert client.post("/datasets", content=cut, headers=kind).status_code == 422
    assert sorted(manager.stored.folder.iterdir()) == before, "nothing is left of what was refused"
    manager.close()


def test_a_data_set_may_not_be_larger_than_it_says(folder):  # noqa: F811
    from tinythink_remote import app

    manager = open_manager(folder)

    def pieces():
        row = b'{"question": "1+1?", "answer": 2}\n' * 1000
        for _ in range(app.DATASET_LIMIT // len(row) + 2):
            yield row

    monkeypatched = app.DATASET_LIMIT
    app.DATASET_LIMIT = 100_000
    try:
        client = client_of(manager)
        answer = client.post("/datasets", content=pieces(), headers={"Content-Type": "application/x-ndjson"})
    finally:
        app.DATASET_LIMIT = monkeypatched
    assert answer.status_code == 413 and list(manager.stored.folder.iterdir()) == []
    manager.close()
