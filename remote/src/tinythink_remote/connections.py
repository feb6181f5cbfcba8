"""Connections that nobody uses are closed: those whose request doesn't arrive, and those whose answer nobody reads.

uvicorn closes a connection that is idle after an answer, and no other. Without a limit, everyone who can reach the port
could hold all of the sidecar's connections by opening them and sending nothing.
"""

from __future__ import annotations

import asyncio
import socket

from uvicorn.protocols.http.h11_impl import H11Protocol

# Seconds in which a request's headers must arrive, and in which a client must read on.
HEADERS = 15.0
READING = 120.0
MAX_CONNECTIONS = 512


class GuardedProtocol(H11Protocol):
    headers_limit = HEADERS
    reading_limit = READING

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self._headers_timer: asyncio.TimerHandle | None = None
        self._reading_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self._await_headers()
        connection = transport.get_extra_info("socket")
        if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            # A client whose machine has gone acknowledges nothing.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self.reading_limit * 1000))

    def data_received(self, data: bytes) -> None:
        # The next request has begun; what has arrived of it doesn't give it more time.
        if self._headers_timer is None and (self.cycle is None or self.cycle.response_complete):
            self._await_headers()
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._headers_timer = _cancel(self._headers_timer)

    def on_response_complete(self) -> None:
        # From here to the next request, uvicorn's own limit applies.
        self._headers_timer = _cancel(self._headers_timer)
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        _cancel(self._reading_timer)
        self._reading_timer = self.loop.call_later(self.reading_limit, self.transport.abort)

    def resume_writing(self) -> None:
        self._reading_timer = _cancel(self._reading_timer)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_timer = _cancel(self._headers_timer)
        self._reading_timer = _cancel(self._reading_timer)
        super().connection_lost(exc)

    def _await_headers(self) -> None:
        self._headers_timer = self.loop.call_later(self.headers_limit, self.transport.abort)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
