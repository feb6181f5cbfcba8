"""Who may send requests to the sidecar, and how large they may be. Plain ASGI, so that event streams pass unchanged.

From the outside in: `OriginGuard` refuses pages that are not on the list, CORS allows those that are, and `TokenGuard`
checks the token and the size of the body.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
import time

MIN_TOKEN = 16
# Seconds: without any part of a body, and for the whole of it.
SILENCE = 30.0
LONGEST_BODY = 900.0
FORWARDED = {b"forwarded", b"x-forwarded-for", b"x-real-ip"}
LOOPBACK_NAMES = {"localhost", "127.0.0.1", "[::1]"}


def is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost"
    return address.is_loopback or getattr(address, "ipv4_mapped", None) is not None and address.ipv4_mapped.is_loopback


async def refuse(send, status: int, detail: str, *headers: tuple[bytes, bytes]) -> None:
    body = json.dumps({"detail": detail}).encode()
    start = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})


def header(scope, name: bytes) -> str | None:
    """A header's value; None without it. A header that is there twice counts as wrong."""
    values = [value for key, value in scope["headers"] if key == name]
    return None if not values else values[0].decode("latin-1") if len(values) == 1 else "\0"


class OriginGuard:
    """A browser sends the page's `Origin` with a request, which must be on the list. Without a token, the request must also
    use a loopback name, or a page could reach the server under a domain name that resolves to this machine."""

    def __init__(self, app, origins: tuple[str, ...], has_token: bool):
        self._app = app
        self._origins = origins
        self._has_token = has_token

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        origin = header(scope, b"origin")
        if origin is not None and origin not in self._origins:
            return await refuse(send, 403, "this page is not allowed: start the sidecar with --origin")
        if not self._has_token:
            name, _, port = (header(scope, b"host") or "").rpartition(":")
            host = name if port.isdecimal() else header(scope, b"host")
            if host not in LOOPBACK_NAMES:
                return await refuse(send, 403, "without a token the sidecar answers only as localhost")
        return await self._app(scope, receive, send)


class BodyTooLarge(Exception):
    """More was sent than is allowed."""


class BodyTooSlow(Exception):
    """Nothing was sent for too long."""


class TokenGuard:
    """With a token, every request needs it. Without one, only requests from this machine are answered, and none that a proxy
    has forwarded. A body is limited in size and in time: bodies for the `streamed` paths, each with its own limit, are
    passed on as they arrive, and all others are read first."""

    def __init__(self, app, token: str | None, streamed: dict[str, int], limit: int, silence: float = SILENCE):
        self._app = app
        self._digest = None if token is None else hashlib.sha256(token.encode()).digest()
        # Maximum size of a body in bytes, by path and for all other paths.
        self._streamed = streamed
        self._limit = limit
        # Seconds without a part of a body.
        self._silence = silence

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if not self._is_known(scope):
            return await refuse(
                send, 401, "the token is missing or wrong", (b"www-authenticate", b"Bearer")
            )
        limit = self._streamed.get(scope["path"], self._limit)
        started = False

        async def sending(message):
            nonlocal started
            started = True
            await send(message)

        try:
            announced = header(scope, b"content-length")
            if announced is not None and (not announced.isdecimal() or int(announced[:20]) > limit):
                raise BodyTooLarge
            body = self._limited(receive, limit)
            if scope["path"] not in self._streamed:
                body = await self._whole(body)
            return await self._app(scope, body, sending)
        except (BodyTooLarge, BodyTooSlow) as error:
            if started:
                raise
            close = (b"connection", b"close")
            if isinstance(error, BodyTooSlow):
                return await refuse(send, 408, "the rest of the request did not arrive in time", close)
            return await refuse(send, 413, f"the body is larger than {limit} bytes", close)

    def _limited(self, receive, limit: int):
        """Receives a body within its limits, and then whatever comes."""
        size, ended = 0, False
        deadline = time.monotonic() + LONGEST_BODY

        async def limited():
            nonlocal size, ended
            if ended:
                return await receive()
            try:
                left = min(self._silence, deadline - time.monotonic())
                message = await asyncio.wait_for(receive(), max(0, left))
            except asyncio.TimeoutError:
                raise BodyTooSlow from None
            if message["type"] != "http.request":
                ended = True
                return message
            size += len(message.get("body", b""))
            if size > limit:
                raise BodyTooLarge
            ended = not message.get("more_body")
            return message

        return limited

    @staticmethod
    async def _whole(receive):
        """A body that has been received, as one message; then whatever comes."""
        parts, left = [], True
        while left:
            message = await receive()
            left = message["type"] == "http.request" and message.get("more_body", False)
            parts.append(message.get("body", b""))
        whole = {"type": "http.request", "body": b"".join(parts), "more_body": False}

        async def replay():
            nonlocal whole
            message, whole = whole, None
            return message or await receive()

        return replay

    def _is_known(self, scope) -> bool:
        if self._digest is None:
            client = scope.get("client")
            passed_on = any(key in FORWARDED for key, _ in scope["headers"])
            return client is not None and is_loopback(client[0]) and not passed_on
        kind, _, token = (header(scope, b"authorization") or "").partition(" ")
        digest = hashlib.sha256(token.encode("latin-1")).digest()
        return hmac.compare_digest(digest, self._digest) and kind.lower() == "bearer"
