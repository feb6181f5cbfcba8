"""The HTTP side: runs started, watched and told what to do. See remote/README.md for the list of addresses."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import ValidationError

from . import __version__
from .config import FieldError, HubDataset, LiveConfig, NewRun, problems_of
from .disk import NoSpace, is_no_space, no_space_in_words
from .files import Control, Status
from .rewards import REWARDS
from .runs import Refused, RunManager, Unknown, tail
from .security import OriginGuard, TokenGuard
from .streams import RETRY_AFTER, NoSuchEvent, Streams, TooManyStreams
from .tasks import TASKS

log = logging.getLogger("tinythink_remote")

BODY_LIMIT = 1 << 20
DATASET_LIMIT = 64 << 20
LOG_LIMIT = 256 << 10
# Seconds between comments in a stream while nothing happens.
KEEP_ALIVE = 15.0

RunId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
DatasetId = RunId
Step = Annotated[int, Path(ge=0, le=10**9)]


def create_app(
    manager: RunManager,
    *,
    token: str | None = None,
    origins: tuple[str, ...] = (),
    body_limit: int = BODY_LIMIT,
    keep_alive: float = KEEP_ALIVE,
) -> FastAPI:
    """The application. Without a token it answers only requests from this machine."""

    streams = Streams(keep_alive)

    @asynccontextmanager
    async def lifespan(_app: FastAPI):
        restarting = asyncio.create_task(manager.look_after_forever())
        yield
        restarting.cancel()
        manager.close()

    # Without FastAPI's pages that describe the API, since they load scripts from other servers.
    app = FastAPI(title="tinythink-remote", version=__version__, lifespan=lifespan, openapi_url=None)

    # The middleware that is added last is the outermost.
    app.add_middleware(TokenGuard, token=token, streamed={"/datasets": DATASET_LIMIT}, limit=body_limit)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
        max_age=600,
    )
    app.add_middleware(OriginGuard, origins=origins, has_token=token is not None)

    # A refused setting is always a 422 whose detail is a list of {field, message}.

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": problems_of(error.errors())}, 422)

    @app.exception_handler(ValidationError)
    async def invalid_together(_request: Request, error: ValidationError) -> JSONResponse:
        return JSONResponse({"detail": problems_of(error.errors())}, 422)

    @app.exception_handler(FieldError)
    async def invalid_here(_request: Request, error: FieldError) -> JSONResponse:
        return JSONResponse({"detail": [{"field": error.field, "message": str(error)}]}, 422)

    @app.exception_handler(Refused)
    async def refused(_request: Request, error: Refused) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 409)

    @app.exception_handler(Unknown)
    async def unknown(_request: Request, error: Unknown) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 404)

    @app.exception_handler(TooManyStreams)
    async def too_many(_request: Request, error: TooManyStreams) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 503, {"Retry-After": str(RETRY_AFTER)})

    @app.exception_handler(NoSpace)
    @app.exception_handler(OSError)
    async def no_space(_request: Request, error: Exception) -> JSONResponse:
        if not is_no_space(error):
            log.error("a request failed", exc_info=error)
            return JSONResponse({"detail": "The server could not read or write a file; its log says which."}, 500)
        return JSONResponse({"detail": no_space_in_words(error)}, 507)

    @app.get("/info")
    def info() -> dict:
        installed = {name: find_spec(name) is not None for name in ("vllm", "deepspeed", "peft")}
        return {
            "name": "tinythink-remote",
            "version": __version__,
            "models": manager.model_names(),
            "hub": list(manager.hub),
            "tasks": list(TASKS),
            "rewards": list(REWARDS),
            "gpus": manager.gpus,
            "disk": manager.disk(),
            **installed,
        }

    @app.post("/runs", status_code=201)
    def create(request: NewRun) -> dict:
        return manager.describe(manager.create(request))

    @app.get("/runs")
    def runs() -> list[dict]:
        return [manager.describe(run) for run in manager.list()]

    @app.get("/runs/{run_id}")
    def run(run_id: RunId) -> dict:
        return manager.describe(manager.get(run_id))

    @app.delete("/runs/{run_id}", status_code=204)
    def delete(run_id: RunId, stop: bool = False) -> None:
        manager.delete(manager.get(run_id), stop)

    @app.patch("/runs/{run_id}")
    def update(run_id: RunId, live: LiveConfig) -> dict:
        return {"seq": manager.update(manager.get(run_id), live)}

    def add_command(name: str, change) -> None:
        @app.post(f"/runs/{{run_id}}/{name}", name=name)
        def command(run_id: RunId) -> dict:
            return {"seq": manager.command(manager.get(run_id), change)}

    add_command("pause", _pause)
    add_command("resume", _resume)
    add_command("step", _step)
    add_command("stop", _stop)
    add_command("checkpoint", _checkpoint)

    @app.get("/runs/{run_id}/events")
    async def events(
        run_id: RunId, last_event_id: Annotated[str | None, Header(pattern=r"^\d{0,9}$")] = None
    ) -> StreamingResponse:
        try:
            return await streams.response(manager.get(run_id), int(last_event_id or 0))
        except NoSuchEvent:
            raise HTTPException(400, "Last-Event-ID is not an event of this run") from None

    @app.get("/runs/{run_id}/checkpoints")
    def checkpoints(run_id: RunId) -> list[dict]:
        return manager.checkpoints(manager.get(run_id))

    @app.get("/runs/{run_id}/checkpoints/{step}/{name}")
    def checkpoint_file(run_id: RunId, step: Step, name: str) -> FileResponse:
        path = manager.checkpoint_file(manager.get(run_id), step, name)
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        return FileResponse(path, media_type="application/octet-stream", filename=path.name, headers=headers)

    @app.get("/runs/{run_id}/logs")
    def logs(run_id: RunId, size: Annotated[int, Query(ge=1, le=LOG_LIMIT, alias="bytes")] = 16 << 10):
        text = tail(manager.get(run_id).files.log, size)
        return PlainTextResponse(text, headers={"X-Content-Type-Options": "nosniff"})

    @app.get("/datasets")
    def datasets() -> list[dict]:
        return manager.datasets()

    @app.post("/datasets", status_code=201)
    async def add_dataset(request: Request) -> dict:
        """Adds a data set: JSON lines, or as application/json the name of a data set on the Hub."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if kind == "application/json":
            described = HubDataset.model_validate_json(await limited(request, BODY_LIMIT))
            return await asyncio.to_thread(manager.add_hub_dataset, described)
        if kind != "application/x-ndjson":
            raise HTTPException(415, "send a data set as application/x-ndjson, or its name as application/json")
        try:
            return await manager.add_dataset(request.stream())
        except ValueError as error:
            message = "the file isn't UTF-8 text" if isinstance(error, UnicodeError) else str(error)
            raise FieldError("", message) from None

    @app.delete("/datasets/{name}", status_code=204)
    def delete_dataset(name: DatasetId) -> None:
        manager.delete_dataset(name)

    return app


def _pause(control: Control, _status: Status) -> None:
    control.state, control.until = "paused", 0


def _resume(control: Control, _status: Status) -> None:
    control.state = "running"


def _step(control: Control, status: Status) -> None:
    if status.state != "paused":
        raise Refused("the run is not paused")
    control.state, control.until = "paused", status.step + 1


def _stop(control: Control, _status: Status) -> None:
    control.state = "stopped"


def _checkpoint(control: Control, _status: Status) -> None:
    control.save += 1


async def limited(request: Request, most: int) -> bytes:
    """A body that is read as a whole."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise HTTPException(413, f"the body is larger than {most} bytes")
    return bytes(body)
