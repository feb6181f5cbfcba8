"""`python -m tinythink_remote serve --models DIR --runs DIR`: the sidecar's command line."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from .security import MIN_TOKEN, is_loopback

# The page's addresses during development and preview.
LOCAL_PAGES = ("http://localhost:5173", "http://localhost:4173")


def read_token(path: Path) -> str:
    """Raises ValueError if the file contains no usable token, or if other users can read it."""
    if path.stat().st_mode & 0o077:
        raise ValueError(f"other users can read {path}: run chmod 600 {path}")
    token = path.read_text().strip()
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(
            f"{path} must contain at least {MIN_TOKEN} ASCII characters without spaces, such as `openssl rand -hex 32` prints"
        )
    return token


def check(host: str, token: str | None) -> None:
    """Raises ValueError for a server that anyone could use."""
    if token is None and not is_loopback(host):
        raise ValueError(f"{host} can be reached from other machines, so a token is needed: use --token-file FILE")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tinythink_remote", description=__doc__)
    serve = parser.add_subparsers(required=True, metavar="serve").add_parser("serve", help="start the sidecar")
    serve.add_argument("--models", type=Path, required=True, help="folder with model folders")
    serve.add_argument("--runs", type=Path, required=True, help="folder for runs and data sets; created if missing")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, default=8790, help="port (default 8790)")
    serve.add_argument("--token-file", type=Path, help="file with the token that every request must send")
    serve.add_argument(
        "--origin", action="append", metavar="URL", help="page that may send requests, such as https://me.github.io"
    )
    serve.add_argument(
        "--hub", action="append", default=[], metavar="PATTERN", help="models and data sets allowed from the Hub, such as 'Qwen/*'"
    )
    serve.add_argument("--max-running", type=int, default=2, help="runs at a time, including paused ones (default 2)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")

    import uvicorn

    from .app import create_app
    from .connections import GuardedProtocol
    from .runs import Refused, RunManager

    try:
        token = read_token(options.token_file) if options.token_file else None
        check(options.host, token)
        if not options.models.is_dir():
            raise ValueError(f"{options.models} is not a folder")
        manager = RunManager(options.models, options.runs, tuple(options.hub), options.max_running)
    except (ValueError, OSError, Refused) as error:
        print(error, file=sys.stderr)
        return 2
    origins = tuple(options.origin or LOCAL_PAGES)
    app = create_app(manager, token=token, origins=origins)
    # A proxy's headers are not trusted: with them, any client could claim to be this machine.
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        http=GuardedProtocol,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
