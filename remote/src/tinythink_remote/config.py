"""What a request may contain. Every field is a number, a switch or a name from a list, so that none can name code or a path.

`RunConfig` has the names, ranges and defaults of src/rl/config.ts and src/runs/fields/, which
tests/python/test_remote_tasks.py checks. `RemoteOptions` has what only a server needs.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from .rewards import REWARDS
from .tasks import TASKS

# A model is the name of a folder, a checkpoint of another run of this sidecar, or a repository on the Hub.
FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
CHECKPOINT = re.compile(r"run:([0-9a-f]{16})@(\d{1,9})")
HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9][A-Za-z0-9_.-]{0,95}")
RUN_ID = re.compile(r"[0-9a-f]{16}")
DATASET = re.compile(r"dataset:([0-9a-f]{16})")
IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,63}")

# TRL's RepeatSampler lists every prompt of a run, so their number has a limit.
MAX_PROMPTS = 10_000_000
MAX_COMPLETIONS = 65_536


class FieldError(ValueError):
    """A problem with one setting. `field` is its path inside the model that is being validated."""

    def __init__(self, field: str, message: str):
        super().__init__(message)
        self.field = field


class Strict(BaseModel):
    """Unknown keys, values of another type, NaN and infinity are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def whole(low: int, high: int):
    return Annotated[int, Field(ge=low, le=high)]


def real(low: float, high: float):
    return Annotated[float, Field(ge=low, le=high)]


def above(low: float, high: float):
    return Annotated[float, Field(gt=low, le=high)]


Weight = real(-100, 100)


class Rewards(Strict):
    """Names of reward functions and their weights, as parallel lists. A reward with weight 0 is still measured."""

    reward_funcs: Annotated[list[str], Field(max_length=100)]
    reward_weights: Annotated[list[Weight], Field(max_length=100)]

    @model_validator(mode="before")
    @classmethod
    def _from_record(cls, value: Any) -> Any:
        """Pages of earlier versions send one record, {"accuracy": 1, "format": 0.2, "length": 0}."""
        weights = value.get("reward_weights") if isinstance(value, dict) else None
        if not isinstance(weights, dict):
            return value
        return {**value, "reward_funcs": list(weights), "reward_weights": list(weights.values())}

    @model_validator(mode="after")
    def _are_known(self):
        funcs = self.reward_funcs or []
        if len(funcs) != len(self.reward_weights or []) or len(set(funcs)) != len(funcs):
            raise FieldError(
                "reward_funcs", "reward_funcs and reward_weights must have the same length, with each reward once"
            )
        for name in funcs:
            if name not in REWARDS:
                raise FieldError("reward_funcs", f"every reward must be one of {', '.join(REWARDS)}")
        return self

    def weights(self) -> dict[str, float]:
        return dict(zip(self.reward_funcs, self.reward_weights, strict=True))


class RunConfig(Rewards):
    """The config of a run, as the page sends it."""

    num_prompts: whole(1, 1024) = 16
    num_generations: whole(2, 1024) = 16
    max_completion_length: whole(1, 8192) = 112
    temperature: above(0, 10) = 1
    top_k: whole(0, 1 << 20) = 0
    top_p: above(0, 1) = 1
    learning_rate: above(0, 1) = 3e-4
    warmup_steps: whole(0, 1_000_000) = 10
    lr_scheduler_type: Literal["constant", "linear", "cosine"] = "linear"
    max_steps: whole(0, 1_000_000) = 160
    adam_beta1: real(0, 0.99999) = 0.9
    adam_beta2: real(0, 0.999999) = 0.95
    adam_epsilon: above(0, 1) = 1e-8
    weight_decay: real(0, 1) = 0
    max_grad_norm: real(0, 1000) = 1
    loss_type: Literal["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo"] = "dapo"
    scale_rewards: Literal["group", "batch", "none"] = "group"
    importance_sampling_level: Literal["token", "sequence"] = "token"
    num_iterations: whole(1, 64) = 1
    epsilon: above(0, 1) = 0.2
    epsilon_high: above(0, 1000) = 0.2
    delta: above(0, 1000) | None = None
    beta: real(0, 100) = 0
    use_bias_correction_kl: bool = True
    mask_truncated_completions: bool = False
    sapo_temperature_pos: above(0, 100) = 1
    sapo_temperature_neg: above(0, 100) = 1.05
    reward_funcs: Annotated[list[str], Field(max_length=100)] = list(REWARDS)
    reward_weights: Annotated[list[Weight], Field(max_length=100)] = [each.default_weight for each in REWARDS.values()]
    seed: whole(0, 2**32 - 1) = 0
    model: str = "tinythink-1m"
    task: str = "sum"
    difficulty: whole(0, 1000) = 8
    cold_start_steps: whole(0, 10_000) = 0
    cold_start_p_cot: real(0, 1) = 0.2
    cold_start_dataset: None = None
    # These are for the page's own adapters. On a server, adapters are part of `remote`.
    lora_r: None = None
    lora_alpha: above(0, 4096) = 32
    lora_target_modules: Literal["all-linear", "q_proj,k_proj,v_proj,o_proj", "q_proj,v_proj"] = "all-linear"
    quant: Literal["stored", "f16", "q8_0", "q4_0"] = "stored"
    eval_steps: whole(0, 1_000_000) = 10
    eval_problems: whole(1, 4096) = 128
    save_steps: whole(0, 1_000_000) = 40
    log_probability_change: bool = True

    @field_validator("model")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if any(pattern.fullmatch(name) for pattern in (FOLDER, CHECKPOINT, HUB_ID)):
            return name
        raise ValueError("must be a model folder on this server, run:<id>@<step>, or owner/name on the Hub")

    @field_validator("task")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name in TASKS or DATASET.fullmatch(name):
            return name
        raise ValueError(f"must be one of {', '.join(TASKS)}, or dataset:<id>")

    @field_validator("cold_start_steps")
    @classmethod
    def _none_here(cls, steps: int) -> int:
        if steps > 0:
            raise ValueError("a server does no cold start: start from a checkpoint of a model that had one")
        return steps

    @model_validator(mode="after")
    def _fits_together(self):
        if self.max_steps == 0:
            raise FieldError("max_steps", "must be at least 1")
        if self.task in TASKS:
            low, high = TASKS[self.task].difficulty
            if not low <= self.difficulty <= high:
                raise FieldError("difficulty", f"must be from {low} to {high} for the task {self.task}")
        if all(weight == 0 for weight in self.reward_weights):
            raise FieldError("reward_weights", "at least one reward needs a weight other than 0")
        if self.delta is not None and self.delta <= 1 + self.epsilon_high:
            raise FieldError("delta", f"must be above 1 + epsilon_high, that is above {1 + self.epsilon_high}")
        if self.max_steps * self.num_prompts > MAX_PROMPTS:
            raise FieldError("max_steps", f"max_steps times num_prompts must be at most {MAX_PROMPTS}")
        if self.num_prompts * self.num_generations > MAX_COMPLETIONS:
            raise FieldError("num_generations", f"num_prompts times num_generations must be at most {MAX_COMPLETIONS}")
        return self


class LiveConfig(Rewards):
    """Settings that may change during a run."""

    learning_rate: above(0, 1) | None = None
    temperature: above(0, 10) | None = None
    reward_funcs: Annotated[list[str], Field(max_length=100)] | None = None
    reward_weights: Annotated[list[Weight], Field(max_length=100)] | None = None


class Lora(Strict):
    """A low-rank adapter on every linear layer, with PEFT's names."""

    r: whole(1, 1024) = 16
    lora_alpha: above(0, 4096) = 32
    lora_dropout: real(0, 0.9) = 0


class RemoteOptions(Strict):
    """How the server runs a run. The default is one process that trains all weights in f32, sampling with vLLM if it is
    installed and there is a GPU."""

    launcher: Literal["none", "accelerate"] = "none"
    # For accelerate: processes on this machine, one per GPU.
    num_processes: whole(1, 64) = 1
    # For accelerate on GPUs: shard weights, gradients and optimizer with DeepSpeed ZeRO-3, or give each GPU all of them.
    sharding: Literal["zero3", "none"] = "zero3"
    # The weights are always f32; bf16 computes in bfloat16 under autocast.
    precision: Literal["f32", "bf16"] = "f32"
    lora: Lora | None = None
    # None: if possible. True is refused if vLLM is missing.
    use_vllm: bool | None = None
    vllm_gpu_memory_utilization: real(0.05, 0.95) = 0.3
    gradient_checkpointing: bool = False
    # Completions in one forward and backward pass of one process; None: all of them.
    per_device_train_batch_size: whole(1, 65_536) | None = None
    # The number of checkpoints to keep; older ones are deleted. None keeps all.
    save_total_limit: whole(1, 1000) | None = None

    @model_validator(mode="after")
    def _fits_together(self):
        if self.launcher == "none" and self.num_processes != 1:
            raise FieldError("num_processes", "more than one process needs the launcher accelerate")
        return self


class NewRun(Strict):
    """The body of POST /runs."""

    config: RunConfig
    remote: RemoteOptions = RemoteOptions()
    # Evaluate the model, then wait for resume.
    paused: bool = False

    @model_validator(mode="after")
    def _divides(self):
        local_batch(self.config, self.remote)
        return self


class HubDataset(Strict):
    """A data set on the Hub. Loading it runs no code."""

    hub: Annotated[str, Field(pattern=rf"^(?:{HUB_ID.pattern})$")]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,95}$")] | None = None
    split: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,95}$")] = "train"


def local_batch(config: RunConfig, remote: RemoteOptions) -> tuple[int, int]:
    """The number of completions in one forward of one process, and of such forwards in a step.

    Raises FieldError if the step's completions can't be divided evenly.
    """
    total = config.num_prompts * config.num_generations
    processes = remote.num_processes
    if total % processes:
        raise FieldError("remote.num_processes", f"{total} completions per step can't be divided among {processes} processes")
    share = total // processes
    size = remote.per_device_train_batch_size or share
    if share % size:
        message = f"{share} completions per process can't be divided into batches of {size}"
        raise FieldError("remote.per_device_train_batch_size", message)
    return size, share // size


def problems_of(errors: list) -> list[dict]:
    """Pydantic's errors as `{field, message}`, without the values, which may be anything.

    `field` is the path of a setting, such as `config.max_steps` or `remote.lora.r`; it is empty if no single one is to
    blame. Unknown keys are not repeated: the field is then where they were found.
    """
    problems = []
    for error in errors[:20]:
        place = [str(part) for part in error["loc"] if part != "body"]
        message = error["msg"].removeprefix("Value error, ")
        if error["type"] == "extra_forbidden":
            place, message = place[:-1], "contains a setting that this server doesn't know"
        field = ".".join(takewhile(IDENTIFIER.fullmatch, place))
        cause = error.get("ctx", {}).get("error")
        if isinstance(cause, FieldError):
            field = f"{field}.{cause.field}" if field else cause.field
        problems.append({"field": field, "message": message})
    return problems
