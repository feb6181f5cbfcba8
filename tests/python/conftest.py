"""The headless runner as the Python tests use it: `node dist/cli.mjs`, on a Vulkan adapter that works here.

    npm run build:cli && pip install -r tests/goldens/requirements.txt && pytest tests/python

TINYTHINK_CLI names another bundle, TINYTHINK_MODEL another folder to train from, VK_ICD_FILENAMES another adapter.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

REPOSITORY = Path(__file__).parents[2]
GOLDENS = REPOSITORY / "tests" / "goldens" / "models"
CLI = Path(os.environ.get("TINYTHINK_CLI", REPOSITORY / "dist" / "cli.mjs"))
MODEL = Path(os.environ.get("TINYTHINK_MODEL", REPOSITORY / "public" / "models" / "tinythink-1m"))
TIMEOUT_S = 600

PROBE = """
import { create, globals } from 'webgpu';
Object.assign(globalThis, globals);
const gpu = create([]);
process.exit((await gpu.requestAdapter()) ? 0 : 1);
"""


def vulkan_drivers() -> list[Path]:
    """Software drivers in the order of tests/support/adapter.ts: llvmpipe, then the SwiftShader beside Chromium."""
    places = [Path("/usr/share/vulkan/icd.d/lvp_icd.json"), Path("/usr/share/vulkan/icd.d/lvp_icd.x86_64.json")]
    folders = [Path("/usr/lib/chromium"), Path("/opt/google/chrome")]
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            folders.append(Path(found).resolve().parent)
    places += [folder / "vk_swiftshader_icd.json" for folder in folders]
    return [place for place in places if place.exists()]


def adapter_environment() -> dict[str, str]:
    """The environment of a Node process in which Dawn finds an adapter; fails the tests where there is none."""
    environment = {"XDG_RUNTIME_DIR": "/tmp"} | os.environ
    if "VK_ICD_FILENAMES" in environment:
        return environment
    candidates = [environment | {"VK_ICD_FILENAMES": str(driver)} for driver in vulkan_drivers()] + [environment]
    for candidate in candidates:
        probe = ["node", "--input-type=module", "-e", PROBE]
        if subprocess.run(probe, cwd=REPOSITORY, env=candidate, capture_output=True, timeout=120).returncode == 0:
            return candidate
    pytest.fail(f"No WebGPU adapter works in Node here. Tried: {[str(d) for d in vulkan_drivers()]} and none at all.")


@pytest.fixture(scope="session")
def cli():
    """Runs a command of the headless runner and returns its standard output; fails with its standard error."""
    if not CLI.exists():
        pytest.skip(f"{CLI} is not built: run `npm run build:cli` first")
    environment = adapter_environment()

    def run(*arguments) -> str:
        command = ["node", str(CLI), *map(str, arguments)]
        result = subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
        )
        assert result.returncode == 0, f"{' '.join(command)}\n{result.stderr or result.stdout}"
        return result.stdout

    return run


@pytest.fixture(scope="session")
def cli_logits(cli, tmp_path_factory):
    """`logits` of a model folder for token ids, as f32 [T, vocab]."""
    from safetensors.torch import load_file

    def logits(folder: Path, ids: list[int]):
        out = tmp_path_factory.mktemp("logits") / "logits.safetensors"
        cli("logits", "--model", folder, "--ids", ",".join(map(str, ids)), "--out", out)
        return load_file(out)["logits"]

    return logits


@pytest.fixture(scope="session")
def start_model() -> Path:
    """The folder that training starts from. It must be able to earn rewards: without them no weight moves."""
    if not (MODEL / "model.safetensors").exists():
        pytest.skip(f"{MODEL} has no weights: pretrain it, or name another folder in TINYTHINK_MODEL")
    return MODEL


RUNS = {
    "dapo": {"steps": 3, "loss_type": "dapo", "beta": 0, "num_iterations": 1},
    "grpo-kl-reused": {"steps": 2, "loss_type": "grpo", "beta": 0.04, "num_iterations": 2},
}


class Run:
    """A finished `train --dump-batches`: where it started, its output folder, and its events file."""

    def __init__(self, start: Path, out: Path, events: Path, num_iterations: int):
        self.start, self.out, self.events, self.num_iterations = start, out, events, num_iterations


@pytest.fixture(scope="session", params=RUNS)
def run(request, cli, start_model, tmp_path_factory) -> Run:
    options = RUNS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    out, events = folder / "model", folder / "events.jsonl"
    cli(
        *("train", "--model", start_model, "--task", "sum", "--steps", options["steps"]),
        *("--prompts", 4, "--group", 8, "--max-new", 48, "--lr", 3e-4, "--loss-type", options["loss_type"]),
        *("--beta", options["beta"], "--num-iterations", options["num_iterations"]),
        *("--temperature", 1, "--seed", 7, "--events", events, "--out", out, "--dump-batches"),
    )
    return Run(start_model, out, events, options["num_iterations"])
