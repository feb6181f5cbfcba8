"""The process that runs one run.

    python -m tinythink_remote.worker --run-folder DIR --models-folder DIR --datasets-folder DIR

Started by the sidecar, itself or through `accelerate launch`, and on its own from then on: it needs no sidecar to go
on. Started again, it goes on from the last whole checkpoint.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from .config import CHECKPOINT, NewRun, local_batch
from .events import EventWriter, RunIsTaken, read_events
from .files import RunFiles, Status

REASON_LIMIT = 2000


def model_path(name: str, models: Path, runs: Path) -> str:
    """Where a model of a validated name lies; a repository of the Hub is its own name."""
    if match := CHECKPOINT.fullmatch(name):
        return str(checkpoint_folder(RunFiles(runs / match[1]), int(match[2])))
    return name if "/" in name else str(models / name)


def checkpoint_folder(files: RunFiles, step: int) -> Path:
    """A run's whole checkpoint of a step. Raises FileNotFoundError where there is none."""
    updates = json.loads(files.request.read_text())["config"]["num_iterations"]
    folder = files.checkpoints / f"checkpoint-{step * updates}"
    if not (folder / "complete").exists():
        raise FileNotFoundError(f"run {files.folder.name} has no checkpoint of step {step}")
    return folder


def last_checkpoint(files: RunFiles, past: list[dict]) -> Path | None:
    """The one to go on from."""
    for event in reversed(past):
        if event["type"] == "checkpoint" and event["step"] > 0:
            try:
                return checkpoint_folder(files, event["step"])
            except FileNotFoundError:
                continue
    return None


def train(files: RunFiles, models: Path, datasets: Path) -> None:
    request = NewRun.model_validate_json(files.request.read_text())
    config, remote = request.config, request.remote
    past = read_events(files.events)
    resume = last_checkpoint(files, past)

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
    # Before the model: with ZeRO-3 this is what makes from_pretrained load shards.
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
        save_total_limit=remote.save_total_limit,
        logging_steps=1,
        # A loss that isn't a number is to be seen, not averaged away.
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        **vllm,
    )
    path = model_path(config.model, models, files.folder.parent)
    tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left", trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(
        path, dtype=torch.float32, trust_remote_code=False, use_safetensors=True
    )
    context = getattr(model.config, "max_position_embeddings", None)
    if context is not None and config.max_completion_length >= context:
        raise ValueError(f"max_completion_length is {config.max_completion_length}; the model reads {context} tokens")
    trainer = RunTrainer(
        model=model,
        tokenizer=tokenizer,
        problems=problems,
        files=files,
        request=request,
        arguments=arguments,
        peft_config=lora_config(request),
        past=past,
    )
    trainer.remove_callback(PrinterCallback)
    if trainer.accelerator.is_main_process:
        remove_incomplete(files)
        trainer.mark_process()
    trainer.accelerator.wait_for_everyone()
    with suppress(StopRun):
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    trainer.close()


def wants_vllm(wish: bool | None, cuda: bool) -> bool:
    from importlib.util import find_spec

    installed = find_spec("vllm") is not None
    if wish and not (installed and cuda):
        raise ValueError("vLLM is wanted, but " + ("there is no GPU" if installed else "it is not installed"))
    return installed and cuda if wish is None else wish


def lora_config(request: NewRun):
    lora = request.remote.lora
    if lora is None:
        return None
    from peft import LoraConfig

    return LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", **lora.model_dump())


def remove_incomplete(files: RunFiles) -> None:
    """Checkpoints that a crash cut short."""
    for folder in files.checkpoints.glob("checkpoint-*"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder)


def report_failure(files: RunFiles, error: BaseException) -> None:
    """The run's last event, written here when the trainer can't."""
    reason = f"{type(error).__name__}: {error}"[:REASON_LIMIT]
    status = files.read_status()
    try:
        writer = EventWriter(files.events)
    except RunIsTaken:
        return
    writer.append({"type": "failed", "step": status.step, "reason": reason})
    writer.close()
    files.write_status(Status(**(vars(status) | {"state": "failed"})))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("run", "models", "datasets"):
        parser.add_argument(f"--{name}-folder", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    files = RunFiles(options.run_folder.resolve())
    try:
        train(files, options.models_folder.resolve(), options.datasets_folder.resolve())
    except Exception as error:
        traceback.print_exc()
        if os.environ.get("RANK", "0") == "0":
            # The trainer may still hold the events, in a reference of the traceback.
            error.__traceback__ = None
            report_failure(files, error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
