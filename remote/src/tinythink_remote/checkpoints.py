"""A run's checkpoints: folders that training can continue from and that open as Hugging Face models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from .config import CHECKPOINT
from .files import RunFiles

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
    return (folder / COMPLETE).exists()


def complete(folder: Path, model: str) -> None:
    """Marks a checkpoint as complete. An adapter names the `model` that it belongs to."""
    adapter = folder / "adapter_config.json"
    if adapter.exists():
        # PEFT writes a path of this machine, which means nothing to whoever downloads the checkpoint.
        described = json.loads(adapter.read_text()) | {"base_model_name_or_path": model}
        adapter.write_text(json.dumps(described, indent=2))
    (folder / COMPLETE).touch()


def checkpoint_folder(files: RunFiles, step: int) -> Path:
    """A run's complete checkpoint of a step. Raises FileNotFoundError if there is none."""
    updates_per_step = json.loads(files.request.read_text())["config"]["num_iterations"]
    folder = update_folder(files, step * updates_per_step)
    if not is_complete(folder):
        raise FileNotFoundError(f"run {files.folder.name} has no checkpoint of step {step}")
    return folder


def last_checkpoint(files: RunFiles, events: list[dict]) -> Path | None:
    """The newest complete checkpoint of a run with these events, to continue from."""
    for event in reversed(events):
        if event["type"] == "checkpoint" and event["step"] > 0:
            try:
                return checkpoint_folder(files, event["step"])
            except FileNotFoundError:
                continue
    return None


def remove_incomplete(files: RunFiles) -> None:
    """Removes checkpoints that a crash cut short."""
    for folder in files.checkpoints.glob("checkpoint-*"):
        if not is_complete(folder):
            shutil.rmtree(folder)


def list_checkpoints(files: RunFiles, updates_per_step: int) -> list[dict]:
    """The complete checkpoints, oldest first, each with its step and the files of its model folder."""
    found = []
    for folder in files.checkpoints.glob("checkpoint-*"):
        number = folder.name.rpartition("-")[2]
        if not number.isdecimal() or not is_complete(folder):
            continue
        names = [
            {"name": each.name, "bytes": each.stat().st_size}
            for each in sorted(folder.iterdir())
            if is_model_file(each.name)
        ]
        found.append({"step": int(number) // updates_per_step, "files": names})
    return sorted(found, key=lambda checkpoint: checkpoint["step"])


def is_model_file(name: str) -> bool:
    """Whether a file belongs to a model folder. The optimizer's state and pickled arguments stay on the server."""
    is_weights = name.endswith(".safetensors") and "/" not in name and not name.startswith(".")
    return name in MODEL_FILES or is_weights


def model_path(name: str, models: Path, runs: Path) -> str:
    """Where Transformers finds a model of a validated name: a folder, a run's checkpoint, or its name on the Hub."""
    if match := CHECKPOINT.fullmatch(name):
        return str(checkpoint_folder(RunFiles(runs / match[1]), int(match[2])))
    return name if "/" in name else str(models / name)
