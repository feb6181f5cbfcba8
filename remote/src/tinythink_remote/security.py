"""Who may send requests to the sidecar, and how large they may be. Plain ASGI, so that event streams pass unchanged.

From the outside in: `OriginGuard` refuses pages that are not on the list, CORS allows those that are, and `TokenGuard`
checks the token and the size of the body.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json

MIN_TOKEN = 16
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


class TokenGuard:
    """With a token, every request needs it. Without one, only requests from this machine are answered, and none that a proxy
    has forwarded."""

    def __init__(self, app, token: str | None, limits: dict[str, int], limit: int):
        self._app = app
        self._digest = None if token is None else hashlib.sha256(token.encode()).digest()
        # Maximum size of a body in bytes, by path and for all other paths.
        self._limits = limits
        self._limit = limit

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if not self._is_known(scope):
            return await refuse(
                send, 401, "the token is missing or wrong", (b"www-authenticate", b"Bearer")
            )
        limit = self._limits.get(scope["path"], self._limit)
        body = await self._read(scope, receive, limit)
        if body is None:
            return await refuse(send, 413, f"the body is larger than {limit} bytes", (b"connection", b"close"))

        sent = False

        async def replay():
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        return await self._app(scope, replay, send)

    def _is_known(self, scope) -> bool:
        if self._digest is None:
            client = scope.get("client")
            passed_on = any(key in FORWARDED for key, _ in scope["headers"])
            return client is not None and is_loopback(client[0]) and not passed_on
        kind, _, token = (header(scope, b"authorization") or "").partition(" ")
        digest = hashlib.sha256(token.encode("latin-1")).digest()
        return hmac.compare_digest(digest, self._digest) and kind.lower() == "bearer"

    async def _read(self, scope, receive, limit: int) -> bytes | None:
        """The whole body; None if it is larger than the limit."""
        announced = header(scope, b"content-length")
        if announced is not None and (not announced.isdecimal() or int(announced[:20]) > limit):
            return None
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b""
            size += len(message.get("body", b""))
            if size > limit:
                return None
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(parts)
