"""The command line of a run's process, and the config with which accelerate starts one process per GPU."""

from __future__ import annotations

import os
import random
import socket
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from .config import FieldError, RemoteOptions
from .files import RunFiles

LAUNCHERS_OWN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
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
    """A port for the processes of one run to find each other. It is drawn from those that the system doesn't give to
    connections by itself, since the run opens it only once its model is loaded. TRL would choose among a few fixed ports,
    and two runs that are loading would choose the same."""
    lowest = 20_000
    try:
        highest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]) - 1
    except (OSError, ValueError, IndexError):
        highest = 32_767
    chosen = random.SystemRandom()
    for _ in range(100):
        port = chosen.randint(lowest, highest) if highest > lowest else 0
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return probe.getsockname()[1]
    raise OSError("no port is free on this machine")


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
    if remote.launcher == "none":
        # The launchers choose one for their own processes.
        changes |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    if not hub:
        changes |= {"HF_HUB_OFFLINE": "1"}
    if gpus == 0:
        changes |= {"ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": ""}
    elif remote.launcher == "none":
        # If several GPUs were visible, Trainer would split the batch by itself.
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
        changes |= {"CUDA_VISIBLE_DEVICES": visible.split(",")[0]}
    # The sidecar itself may have been started by a launcher, whose processes these are not.
    inherited = {name: value for name, value in os.environ.items() if name not in LAUNCHERS_OWN}
    return {**inherited, **changes}
