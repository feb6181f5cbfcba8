"""The process that runs one run.

    python -m tinythink_remote.worker --run-folder DIR --models-folder DIR --datasets-folder DIR

The sidecar starts it, directly or through `accelerate launch`. From then on it needs no sidecar. Started again, it
continues from the last complete checkpoint.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from .causes import Cause, cause_of
from .checkpoints import last_checkpoint, model_path, remove_incomplete
from .config import NewRun, local_batch
from .disk import causes
from .events import EventWriter, RunIsTaken, read_events
from .files import RunFiles

# The exit status of a process that failed for a reason that may pass, and that the sidecar starts again.
TRY_AGAIN = 75


def train(files: RunFiles, models: Path, datasets: Path) -> None:
    request = NewRun.model_validate_json(files.request.read_text())
    config, remote = request.config, request.remote
    past_events = read_events(files.events)
    resume = last_checkpoint(files, past_events)

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
    from trl import GRPOConfig

    from .problems import load_problems
    from .trainer import RunTrainer, StopRun

    problems = load_problems(config, datasets)
    cuda = torch.cuda.is_available()
    size, forwards = local_batch(config, remote)
    updates = config.num_iterations
    vllm = {}
    if wants_vllm(remote.use_vllm, cuda):
        vllm = {"use_vllm": True, "vllm_gpu_memory_utilization": remote.vllm_gpu_memory_utilization}
    # Before the model, because with ZeRO-3 this makes from_pretrained load shards.
    arguments = GRPOConfig(
        output_dir=str(files.checkpoints),
        use_cpu=not cuda,
        bf16=remote.precision == "bf16" and cuda,
        fp16=False,
        gradient_checkpointing=remote.gradient_checkpointing,
        max_steps=config.max_steps * updates,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=forwards,
        num_generations=config.num_generations,
        num_generations_eval=1,
        max_completion_length=config.max_completion_length,
        temperature=config.temperature,
        top_k=config.top_k,
        top_p=config.top_p,
        learning_rate=config.learning_rate,
        adam_beta1=config.adam_beta1,
        adam_beta2=config.adam_beta2,
        adam_epsilon=config.adam_epsilon,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        loss_type=config.loss_type,
        scale_rewards=config.scale_rewards,
        importance_sampling_level=config.importance_sampling_level,
        num_iterations=updates,
        epsilon=config.epsilon,
        epsilon_high=config.epsilon_high,
        delta=config.delta,
        beta=config.beta,
        use_bias_correction_kl=config.use_bias_correction_kl,
        mask_truncated_completions=config.mask_truncated_completions,
        sapo_temperature_pos=config.sapo_temperature_pos,
        sapo_temperature_neg=config.sapo_temperature_neg,
        reward_weights=config.reward_weights,
        seed=config.seed,
        shuffle_dataset=False,
        save_strategy="no",
        logging_steps=1,
        # A loss that isn't finite must be seen, not filtered out.
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        **vllm,
    )
    # All weights are in the checkpoint to continue from; an adapter also needs its model.
    path = str(resume) if resume and not remote.lora else model_path(config.model, models, files.folder.parent)
    tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left", trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(
        path, dtype=torch.float32, trust_remote_code=False, use_safetensors=True
    )
    context = getattr(model.config, "max_position_embeddings", None)
    if context is not None and config.max_completion_length >= context:
        raise ValueError(
            f"max_completion_length is {config.max_completion_length}, but the model's context is {context} tokens"
        )
    trainer = RunTrainer(
        model=model,
        tokenizer=tokenizer,
        problems=problems,
        files=files,
        request=request,
        arguments=arguments,
        peft_config=lora_config(request),
        past_events=past_events,
    )
    trainer.remove_callback(PrinterCallback)
    if trainer.accelerator.is_main_process:
        remove_incomplete(files)
        trainer.take_over()
    trainer.accelerator.wait_for_everyone()
    with suppress(StopRun):
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    trainer.close()


def wants_vllm(wish: bool | None, cuda: bool) -> bool:
    """Whether vLLM samples. Without a wish, it does where it is installed and a GPU is there."""
    from importlib.util import find_spec

    installed = find_spec("vllm") is not None
    if wish and not (installed and cuda):
        raise ValueError("use_vllm is true, but " + ("there is no GPU" if installed else "vLLM is not installed"))
    return installed and cuda if wish is None else wish


def lora_config(request: NewRun):
    lora = request.remote.lora
    if lora is None:
        return None
    from peft import LoraConfig

    return LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", **lora.model_dump())


def report_failure(files: RunFiles, cause: Cause) -> None:
    """Writes the run's last event and status when the trainer can't. Raises OSError if there is no space even for that."""
    status = files.read_status()
    try:
        writer = EventWriter(files.events)
    except RunIsTaken:
        return
    try:
        writer.append({"type": "failed", "step": status.step, "reason": cause.reason})
    finally:
        writer.close()
    status.state, status.note = "failed", ""
    files.write_status(status)


def note(files: RunFiles, cause: Cause) -> None:
    """Leaves word of why the process ended to the sidecar, which starts it again."""
    status = files.read_status()
    status.note = cause.reason
    with suppress(OSError):
        files.write_status(status)


def read_options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("run", "models", "datasets"):
        parser.add_argument(f"--{name}-folder", type=Path, required=True)
    return parser.parse_args(arguments)


def main() -> int:
    options = read_options()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    files = RunFiles(options.run_folder.resolve())
    try:
        train(files, options.models_folder.resolve(), options.datasets_folder.resolve())
    except Exception as error:
        # The log may be on the disk that is full.
        with suppress(OSError):
            traceback.print_exc()
        if os.environ.get("RANK", "0") != "0":
            return 1
        cause = cause_of(error, files.folder)
        # The traceback may keep the trainer alive, and with it the lock on the events.
        for each in causes(error):
            each.__traceback__ = None
        if cause.passes:
            note(files, cause)
            return TRY_AGAIN
        if cause.no_space:
            remove_incomplete(files)
        # If this fails too, the sidecar reports it.
        with suppress(OSError):
            report_failure(files, cause)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
