"""A run's events as server-sent events, for a limited number of clients. All that watch the same run share one look at its
files, and only a few of them read at a time, so that the sidecar answers other requests while many clients replay a run.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from fastapi.responses import StreamingResponse

from .events import to_json
from .files import ENDED, Status
from .run import Run

# Clients that may watch at a time: of one run, and altogether.
MOST_OF_A_RUN = 64
MOST_STREAMS = 256
# Threads that read events. They have no others, so that replays don't take those of other requests.
READERS = 2
# Characters that are sent at a time; other requests are answered in between.
PIECE = 1 << 16
# Seconds between two looks at a run's events, and until a client that was refused should try again.
POLL = 0.2
RETRY_AFTER = 5


class TooManyStreams(Exception):
    """No more clients can watch. The message is for the user."""


class NoSuchEvent(Exception):
    """A client says that it has an event which the run doesn't have."""


class EventStream(StreamingResponse):
    """Gives back its place when the client leaves, even before the first piece."""

    def __init__(self, pieces: AsyncIterator[bytes], places: ExitStack):
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
        super().__init__(pieces, media_type="text/event-stream", headers=headers)
        self._places = places

    async def __call__(self, scope, receive, send) -> None:
        with self._places:
            await super().__call__(scope, receive, send)


@dataclass
class Look:
    """What a run's files said at a time: its status, and its number of events, which includes all before the status."""

    status: Status
    events: int
    at: float


class Streams:
    def __init__(self, keep_alive: float):
        self._keep_alive = keep_alive
        self._watching: Counter[str] = Counter()
        self._looks: dict[str, asyncio.Task[Look]] = {}
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="events")

    @contextmanager
    def place(self, run: Run) -> Iterator[None]:
        """One client's place among those that watch a run. Raises TooManyStreams if there is none."""
        if self._watching[run.id] >= MOST_OF_A_RUN:
            raise TooManyStreams(f"{MOST_OF_A_RUN} clients watch this run, which is all that this server allows.")
        if self._watching.total() >= MOST_STREAMS:
            raise TooManyStreams(f"{MOST_STREAMS} clients watch runs, which is all that this server allows.")
        self._watching[run.id] += 1
        try:
            yield
        finally:
            self._watching[run.id] -= 1
            if self._watching[run.id] <= 0:
                del self._watching[run.id]
                self._looks.pop(run.id, None)

    async def response(self, run: Run, after: int) -> EventStream:
        """Raises TooManyStreams, and NoSuchEvent."""
        places = ExitStack()
        places.enter_context(self.place(run))
        try:
            if after > (await self._look(run)).events:
                raise NoSuchEvent
        except BaseException:
            places.close()
            raise
        return EventStream(self.events(run, after), places)

    async def events(self, run: Run, after: int) -> AsyncIterator[bytes]:
        """The run's events after number `after`, each with its number as id; its status as `state` whenever it changes; at
        last `end`."""
        yield b": tinythink-remote\n\n"
        sent_state = None
        quiet_since = time.monotonic()
        while True:
            look = await self._look(run)
            while after < look.events:
                lines = await self._read(run, after + 1)
                if not lines:
                    break
                for line in lines:
                    after += 1
                    message = f"id: {after}\nevent: run\ndata: {line}\n\n".encode()
                    for start in range(0, len(message), PIECE):
                        yield message[start : start + PIECE]
                        # Sending doesn't wait while the client keeps up.
                        await asyncio.sleep(0)
                quiet_since = time.monotonic()
            status = look.status
            state = to_json({"state": status.state, "step": status.step, "seq": status.seq})
            if state != sent_state:
                sent_state = state
                quiet_since = time.monotonic()
                yield f"event: state\ndata: {state}\n\n".encode()
            if run.deleted or status.state in ENDED:
                yield b"event: end\ndata: {}\n\n"
                return
            if time.monotonic() - quiet_since >= self._keep_alive:
                quiet_since = time.monotonic()
                yield b": keep-alive\n\n"
            await asyncio.sleep(POLL)

    async def _look(self, run: Run) -> Look:
        """At most POLL old. Clients that ask at the same time share the answer."""
        running = self._looks.get(run.id)
        if running is None or (running.done() and (running.exception() or time.monotonic() - running.result().at > POLL)):
            running = self._looks[run.id] = asyncio.create_task(self._look_now(run))
        # A client that leaves must not cancel it for the others.
        return await asyncio.shield(running)

    async def _look_now(self, run: Run) -> Look:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read_files, run)

    @staticmethod
    def _read_files(run: Run) -> Look:
        at = time.monotonic()
        # Read before the events, so that whatever a status reports is in the events that are sent before it.
        status, unwritten = run.status(), run.last_words
        count = run.reader.count() + (unwritten is not None)
        return Look(status, count, at)

    async def _read(self, run: Run, first: int) -> list[str]:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read_lines, run, first)

    @staticmethod
    def _read_lines(run: Run, first: int) -> list[str]:
        lines = run.reader.read(first)
        last_words = run.last_words
        # The run's last event has a number even if the disk has no space for it.
        return lines or ([to_json(last_words)] if last_words and first == run.reader.count() + 1 else [])
