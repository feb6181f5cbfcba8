"""The data sets of this server: a description of each, and the lines of those that were uploaded."""

from __future__ import annotations

import asyncio
import codecs
import os
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from .config import DATASET_ID, HubDataset
from .disk import check_space
from .files import MOST, Damaged, read_json, sync_folder, write_json
from .problems import check_rows, read_line

MAX_DATASETS = 100
# Characters of a line. A prompt and an answer have limits of their own; reasoning before the answer may be longer.
MAX_LINE = 1 << 20


class TooMany(Exception):
    """No more data sets are stored. The message is for the user."""


class Datasets:
    """`<id>.json` describes a data set, and `<id>.jsonl` has its lines if it isn't one of the Hub."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Uploads that a crash cut short.
        for left in folder.glob("*.draft"):
            left.unlink(missing_ok=True)
        self._changing = threading.Lock()

    def exists(self, name: str) -> bool:
        return (self.folder / f"{name}.json").exists()

    def list(self) -> list[dict]:
        """One that can't be read is listed with its `problem`, so that it can be deleted."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            if DATASET_ID.fullmatch(path.stem):
                try:
                    described = read_json(path)
                    rows, hub = described.get("rows", 0), described.get("hub", "")
                    if type(rows) is not int or not 0 <= rows <= MOST or not isinstance(hub, str):
                        raise Damaged(f"{path.name} can't be read: it describes no data set.")
                except Damaged as error:
                    described = {"problem": str(error)}
                found.append({**described, "task": f"dataset:{path.stem}"})
        return found

    async def add(self, body: AsyncIterator[bytes]) -> dict:
        """Stores an uploaded file while it arrives, line by line. Raises ValueError naming the line that is wrong, and
        NoSpace."""
        self._check_number()
        name = secrets.token_hex(8)
        draft = self.folder / f"{name}.draft"
        rows, number, rest = 0, 0, ""
        decoder = codecs.getincrementaldecoder("utf-8")()

        def store(file, piece: bytes, final: bool) -> None:
            nonlocal rows, number, rest
            check_space(self.folder, len(piece), "the data set")
            *lines, rest = (rest + decoder.decode(piece, final)).split("\n")
            for line in [*lines, rest] if final else lines:
                number += 1
                if len(line) > MAX_LINE:
                    raise ValueError(f"line {number}: longer than {MAX_LINE} characters")
                rows += read_line(number, line) is not None
            if len(rest) > MAX_LINE:
                raise ValueError(f"line {number + 1}: longer than {MAX_LINE} characters")
            file.write(piece)

        try:
            with open(draft, "wb") as file:
                async for piece in body:
                    if piece:
                        await asyncio.to_thread(store, file, piece, False)
                await asyncio.to_thread(store, file, b"", True)
                check_rows(rows)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            with self._changing:
                self._check_number()
                os.replace(draft, self.folder / f"{name}.jsonl")
                return self._describe(name, {"rows": rows})
        except BaseException:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise

    def add_hub(self, dataset: HubDataset) -> dict:
        with self._changing:
            self._check_number()
            return self._describe(secrets.token_hex(8), dataset.model_dump())

    def delete(self, name: str) -> None:
        """Raises FileNotFoundError if there is no such data set."""
        # The description first: without it, the lines are no data set.
        (self.folder / f"{name}.json").unlink()
        (self.folder / f"{name}.jsonl").unlink(missing_ok=True)
        sync_folder(self.folder)

    def _check_number(self) -> None:
        if len(list(self.folder.glob("*.json"))) >= MAX_DATASETS:
            raise TooMany(f"This server stores at most {MAX_DATASETS} data sets. Delete one that you no longer need.")

    def _describe(self, name: str, described: dict) -> dict:
        try:
            write_json(self.folder / f"{name}.json", described)
        except OSError:
            (self.folder / f"{name}.jsonl").unlink(missing_ok=True)
            raise
        return {"task": f"dataset:{name}", **described}
