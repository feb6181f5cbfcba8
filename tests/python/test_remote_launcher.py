"""The commands that start a run's process, for the GPUs that this machine may not have."""

import os
import sys

import pytest
import yaml
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "remote" / "src"))

from tinythink_remote.config import Lora, RemoteOptions  # noqa: E402
from tinythink_remote.files import RunFiles  # noqa: E402
from tinythink_remote.launcher import accelerate_config, environment, launch_command  # noqa: E402
from tinythink_remote.worker import read_options  # noqa: E402

ONE = RemoteOptions()
FOUR = RemoteOptions(launcher="accelerate", num_processes=4, precision="bf16")
WORKER = ["-m", "tinythink_remote.worker"]


@pytest.mark.parametrize(
    ("remote", "gpus", "launcher"),
    [(ONE, 0, []), (ONE, 8, []), (FOUR, 0, ["-m", "torch.distributed.run"]), (FOUR, 8, ["-m", "accelerate.commands.launch"])],
)
def test_the_worker_understands_its_command(tmp_path, remote, gpus, launcher):
    models, datasets = tmp_path / "models", tmp_path / "datasets"
    command = launch_command(RunFiles(tmp_path), remote, models, datasets, gpus)
    assert command[0] == sys.executable
    start = command.index(WORKER[1]) - 1
    assert command[start : start + 2] == WORKER and command[1:start][:2] == launcher
    assert vars(read_options(command[start + 2 :])) == {
        "run_folder": tmp_path,
        "models_folder": models,
        "datasets_folder": datasets,
    }


def test_each_launcher_understands_its_own_options(tmp_path):
    from accelerate.commands.launch import launch_command_parser
    from torch.distributed.run import parse_args

    def options(gpus: int) -> list[str]:
        return launch_command(RunFiles(tmp_path), FOUR, tmp_path, tmp_path, gpus)[3:]

    torchrun = parse_args(options(gpus=0))
    assert (torchrun.standalone, torchrun.nproc_per_node, torchrun.module) == (True, "4", True)
    accelerate = launch_command_parser().parse_args(options(gpus=8))
    assert (accelerate.config_file, accelerate.module) == (str(tmp_path / "accelerate.yaml"), True)
    assert torchrun.training_script == accelerate.training_script == WORKER[1]


@pytest.mark.parametrize("sharding", ["zero3", "none"])
@pytest.mark.parametrize("processes", [1, 4])
def test_accelerate_reads_its_config(tmp_path, sharding, processes):
    from accelerate.commands.config.config_args import load_config_from_file

    remote = FOUR.model_copy(update={"sharding": sharding, "num_processes": processes})
    file = tmp_path / "accelerate.yaml"
    file.write_text(accelerate_config(remote, 29500))
    # It refuses keys that it does not know.
    read = load_config_from_file(str(file))
    assert (read.num_processes, read.main_process_port, read.mixed_precision) == (processes, 29500, "bf16")
    several = "MULTI_GPU" if processes > 1 else "NO"
    assert read.distributed_type == ("DEEPSPEED" if sharding == "zero3" else several)


def test_commands_are_made_of_choices_alone():
    config = yaml.safe_load(accelerate_config(FOUR, 29500))
    assert config["distributed_type"] == "DEEPSPEED" and config["deepspeed_config"]["zero_stage"] == 3
    assert config["num_processes"] == 4 and config["mixed_precision"] == "bf16"
    plain = yaml.safe_load(accelerate_config(FOUR.model_copy(update={"sharding": "none"}), 29500))
    assert plain["distributed_type"] == "MULTI_GPU" and "deepspeed_config" not in plain
    assert environment("x", ONE, gpus=8, hub=False)["CUDA_VISIBLE_DEVICES"] == "0"
    assert environment("x", ONE, gpus=8, hub=False)["HF_HUB_OFFLINE"] == "1"
    assert "CUDA_VISIBLE_DEVICES" not in environment("x", FOUR, gpus=8, hub=True).keys() - os.environ.keys()


def test_peft_knows_every_setting_of_an_adapter():
    from peft import LoraConfig

    assert Lora().model_dump().keys() <= LoraConfig.__dataclass_fields__.keys()
