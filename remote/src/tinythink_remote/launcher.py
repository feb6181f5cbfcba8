"""The command line of a run's process, and the config with which accelerate starts one process per GPU."""

from __future__ import annotations

import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

from .config import FieldError, RemoteOptions
from .files import RunFiles

PACKAGE_ROOT = Path(__file__).resolve().parents[1]


def gpu_count() -> int:
    """The number of GPUs that a run may use, found without starting CUDA in this process."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip() not in ("", "-1")])
    listed = list(Path("/proc/driver/nvidia/gpus").glob("*"))
    return len(listed) or len(list(Path("/dev").glob("nvidia[0-9]*")))


def check_options(remote: RemoteOptions, gpus: int) -> None:
    """Raises FieldError if this machine can't run a run with these options."""
    if remote.lora and find_spec("peft") is None:
        raise FieldError("remote.lora", "needs PEFT on the server: pip install 'tinythink-remote[lora]'")
    if remote.use_vllm and (find_spec("vllm") is None or gpus == 0):
        raise FieldError("remote.use_vllm", "vLLM is not installed on the server, or there is no GPU")
    if remote.launcher == "none" or gpus == 0:
        return
    if remote.num_processes > gpus:
        raise FieldError("remote.num_processes", f"must be at most {gpus}, the number of GPUs of the server")
    if remote.sharding == "zero3" and find_spec("deepspeed") is None:
        raise FieldError("remote.sharding", "needs DeepSpeed on the server: pip install 'tinythink-remote[deepspeed]'")


def accelerate_config(remote: RemoteOptions, port: int) -> str:
    """accelerate's YAML for the GPUs of this machine, as its own `accelerate config` would write it."""
    lines = [
        "compute_environment: LOCAL_MACHINE",
        "debug: false",
        *zero3(remote),
        "downcast_bf16: 'no'",
        "machine_rank: 0",
        "main_training_function: main",
        f"main_process_port: {port}",
        f"mixed_precision: '{'bf16' if remote.precision == 'bf16' else 'no'}'",
        "num_machines: 1",
        f"num_processes: {remote.num_processes}",
        "rdzv_backend: static",
        "same_network: true",
        "use_cpu: false",
    ]
    return "\n".join(lines) + "\n"


def zero3(remote: RemoteOptions) -> list[str]:
    if remote.sharding == "none":
        # accelerate refuses MULTI_GPU for a single process. In quotes, because a bare NO is false in YAML.
        return [f"distributed_type: '{'MULTI_GPU' if remote.num_processes > 1 else 'NO'}'"]
    return [
        "deepspeed_config:",
        "  deepspeed_multinode_launcher: standard",
        "  offload_optimizer_device: none",
        "  offload_param_device: none",
        "  zero3_init_flag: true",
        "  zero3_save_16bit_model: true",
        "  zero_stage: 3",
        "distributed_type: DEEPSPEED",
    ]


def launch_command(files: RunFiles, remote: RemoteOptions, models: Path, datasets: Path, gpus: int) -> list[str]:
    """The command that starts a run's process. Only numbers and choices from a list come from the request."""
    folders = {"run": files.folder, "models": models, "datasets": datasets}
    named = [word for name, folder in folders.items() for word in (f"--{name}-folder", str(folder))]
    worker = ["-m", "tinythink_remote.worker", *named]
    if remote.launcher == "none":
        return [sys.executable, *worker]
    if gpus == 0:
        # On CPUs, `accelerate launch` can start several processes only through MPI. On GPUs it uses torchrun itself.
        count = str(remote.num_processes)
        return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", count, *worker]
    config = files.folder / "accelerate.yaml"
    config.write_text(accelerate_config(remote, free_port()))
    return [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config), *worker]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(run_id: str, remote: RemoteOptions, gpus: int, hub: bool) -> dict[str, str]:
    """The environment of a run's process. TINYTHINK_RUN identifies processes that lost their launcher."""
    paths = [str(PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    changes = {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "TINYTHINK_RUN": run_id,
        "TOKENIZERS_PARALLELISM": "false",
        "TRL_EXPERIMENTAL_SILENCE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    if not hub:
        changes |= {"HF_HUB_OFFLINE": "1"}
    if gpus == 0:
        changes |= {"ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": ""}
    elif remote.launcher == "none":
        # If several GPUs were visible, Trainer would split the batch by itself.
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
        changes |= {"CUDA_VISIBLE_DEVICES": visible.split(",")[0]}
    return {**os.environ, **changes}
