"""A run's checkpoints: folders that training can continue from and that open as Hugging Face models."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

from .config import CHECKPOINT, RUN_ID
from .files import ENDED, Damaged, RunFiles, read_json, sync_folder, write_json

# An empty file that is written last, so that a checkpoint that a crash cut short is recognised.
COMPLETE = "complete"

MODEL_FILES = {
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "adapter_config.json",
    "model.safetensors.index.json",
}


def update_folder(files: RunFiles, update: int) -> Path:
    """Where Trainer saves the checkpoint after an update."""
    return files.checkpoints / f"checkpoint-{update}"


def is_complete(folder: Path) -> bool:
    """Whether a checkpoint was written to its end. A folder that is a link is none: it could lead anywhere."""
    return (folder / COMPLETE).exists() and not folder.is_symlink() and not folder.parent.is_symlink()


def complete(folder: Path, model: str) -> None:
    """Marks a checkpoint as complete, once all of it is on the disk. An adapter names the `model` that it belongs to."""
    adapter = folder / "adapter_config.json"
    if adapter.exists():
        # PEFT writes a path of this machine, which means nothing to whoever downloads the checkpoint.
        write_json(adapter, json.loads(adapter.read_text()) | {"base_model_name_or_path": model})
    for path in folder.iterdir():
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    (folder / COMPLETE).touch()
    sync_folder(folder)
    sync_folder(folder.parent)


def checkpoint_folder(files: RunFiles, step: int) -> Path:
    """A run's complete checkpoint of a step. Raises FileNotFoundError if there is none."""
    try:
        updates_per_step = read_json(files.request)["config"]["num_iterations"]
        folder = update_folder(files, step * updates_per_step)
    except (Damaged, KeyError, TypeError):
        raise FileNotFoundError(f"run {files.folder.name} can't be read") from None
    if not is_complete(folder):
        raise FileNotFoundError(f"run {files.folder.name} has no checkpoint of step {step}")
    return folder


def model_file(folder: Path, name: str) -> Path | None:
    """A file of a checkpoint that belongs to its model; None if there is no such file. Links are not followed."""
    path = folder / name
    return path if is_model_file(name) and path.is_file() and not path.is_symlink() else None


def last_checkpoint(files: RunFiles, events: list[dict]) -> Path | None:
    """The newest complete checkpoint of a run with these events, to continue from."""
    for event in reversed(events):
        if event["type"] == "checkpoint" and isinstance(event.get("step"), int) and event["step"] > 0:
            try:
                return checkpoint_folder(files, event["step"])
            except FileNotFoundError:
                continue
    return None


def remove_incomplete(files: RunFiles) -> None:
    """Removes checkpoints that a crash or a full disk cut short."""
    for _, folder in _folders(files):
        if not is_complete(folder):
            _remove(folder)


def remove_oldest(files: RunFiles, keep: int) -> None:
    """Removes the oldest complete checkpoints until `keep` are left, without those from which another run is trained."""
    whole = sorted((update, folder) for update, folder in _folders(files) if is_complete(folder))
    needed = None
    for update, folder in whole[: max(0, len(whole) - keep)]:
        needed = folders_in_use(files.folder.parent) if needed is None else needed
        if folder not in needed:
            _remove(folder)


def folders_in_use(runs: Path) -> set[Path]:
    """The checkpoints that runs of this server start from, if they haven't ended: a restarted run reads it again."""
    found = set()
    for other in runs.iterdir():
        files = RunFiles(other)
        if not RUN_ID.fullmatch(other.name) or files.read_status().state in ENDED:
            continue
        with suppress(Damaged, KeyError, TypeError, FileNotFoundError):
            if match := CHECKPOINT.fullmatch(read_json(files.request)["config"]["model"]):
                found.add(checkpoint_folder(RunFiles(runs / match[1]), int(match[2])))
    return found


def _remove(folder: Path) -> None:
    # First the mark, so that half a checkpoint never counts as a whole one.
    with suppress(OSError):
        (folder / COMPLETE).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _folders(files: RunFiles) -> list[tuple[int, Path]]:
    """The folders of checkpoints, complete or not, each with its update."""
    folders = (each for each in files.checkpoints.glob("checkpoint-*") if each.is_dir() and not each.is_symlink())
    return [(int(each.name[11:]), each) for each in folders if each.name[11:].isdecimal()]


def list_checkpoints(files: RunFiles, updates_per_step: int) -> list[dict]:
    """The complete checkpoints, oldest first, each with its step and the files of its model folder."""
    found = []
    for update, folder in _folders(files):
        # It may be deleted in the meantime.
        with suppress(OSError):
            if is_complete(folder):
                names = sorted(each.name for each in folder.iterdir() if model_file(folder, each.name))
                described = [{"name": name, "bytes": (folder / name).lstat().st_size} for name in names]
                found.append({"step": update // updates_per_step, "files": described})
    return sorted(found, key=lambda checkpoint: checkpoint["step"])


def is_model_file(name: str) -> bool:
    """Whether a file belongs to a model folder. The optimizer's state and pickled arguments stay on the server."""
    is_weights = name.endswith(".safetensors") and "/" not in name and not name.startswith(".")
    return name in MODEL_FILES or is_weights


def model_path(name: str, models: Path, runs: Path) -> str:
    """Where Transformers finds a model of a validated name: a folder, a run's checkpoint, or its name on the Hub. Raises
    FileNotFoundError for a checkpoint that isn't there, and ValueError for one with links, which could lead anywhere."""
    if match := CHECKPOINT.fullmatch(name):
        folder = checkpoint_folder(RunFiles(runs / match[1]), int(match[2]))
        if links := sorted(each.name for each in folder.iterdir() if each.is_symlink()):
            raise ValueError(f"{name} contains links to other files, which are not followed: {', '.join(links)}")
        return str(folder)
    return name if "/" in name else str(models / name)
