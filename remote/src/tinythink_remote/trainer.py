"""TRL's GRPOTrainer, made to tell what it does in the events of src/runs/events.ts, and to pause, go on and stop.

All arithmetic is TRL's. What is overridden only listens (completions, rewards, log-probabilities, metrics), decides what
happens between two steps (evaluation, checkpoints, waiting), or gives a step the problems and the learning rate that a
local run of the same config has. A step is one batch of samples; with num_iterations above 1 it is several of Trainer's
own steps, called updates here.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import torch
import trl
from accelerate.utils import gather_object
from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from .answer import STYLES
from .config import NewRun, RunConfig, local_batch
from .events import EventWriter
from .files import Control, RunFiles, Status
from .problems import DatasetProblems, TaskProblems, to_prompt
from .rewards import Score, score, weighted_sum
from .schedule import factor
from .tasks import Problem, Task

SCHEMA_VERSION = 1
# Completions of an evaluation that are shown.
SHOWN = 8
# Seconds between two looks at control.json while paused.
POLL = 0.2


class StopRun(Exception):
    """The run is over before its first step."""


@dataclass
class Batch:
    """This process's share of a step's samples, in the order in which TRL made them."""

    problems: list[Problem]
    ids: list[list[int]]
    scores: list[Score]
    # What scoring them once more needs: prompt_ids, prompt_mask, completion_ids, [B, P] and [B, C].
    tensors: dict[str, torch.Tensor]
    advantages: list[float]
    # Under the policy that sampled them; None until known.
    logprobs: list[list[float] | None]
    rollout_ms: float
    # When sampling began, in seconds of perf_counter.
    started: float


class Tokens:
    """Text of tokens; each id is decoded once."""

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer
        self._texts: dict[int, str] = {}
        self._ends = {tokenizer.eos_token_id, tokenizer.pad_token_id}

    def truncated(self, ids: list[int]) -> bool:
        """As TRL: the last token ends nothing."""
        return ids[-1] not in self._ends

    def completion(self, ids: list[int]) -> str:
        """Special tokens written out, without the token that ends it."""
        return self._decode(ids if self.truncated(ids) else ids[:-1])

    def each(self, ids: list[int]) -> list[str]:
        for token in ids:
            if token not in self._texts:
                self._texts[token] = self._decode([token])
        return [self._texts[token] for token in ids]

    def _decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


class RunTrainer(GRPOTrainer):
    """A run: its events, its evaluations, its checkpoints, its pauses. Every process has one; the main one writes."""

    def __init__(
        self,
        *,
        model: torch.nn.Module,
        tokenizer,
        problems: TaskProblems | DatasetProblems,
        files: RunFiles,
        request: NewRun,
        arguments: GRPOConfig,
        peft_config=None,
        past: list[dict],
    ):
        self._config = request.config
        self._request = request
        self._files = files
        self._problems = problems
        self._tokens = Tokens(tokenizer)
        # Events of earlier processes of this run.
        self._past = past
        self._weights = self._config.weights()
        self._control = Control()
        self._status = Status()
        self._live: dict[str, Any] = {}
        self._batch: Batch | None = None
        self._sampled: tuple[list[Problem], list[list[int]], list[Score]] | None = None
        self._captured: torch.Tensor | None = None
        self._capturing = False
        self._logged: list[dict[str, float]] = []
        # Updates at the last boundary between steps that was seen to.
        self._boundary = -1
        self._divergence: str | None = None
        self._parameters = sum(getattr(p, "ds_numel", p.numel()) for p in model.parameters())
        super().__init__(
            model=model,
            reward_funcs=[self._reward(name) for name in self._config.reward_funcs],
            args=arguments,
            train_dataset=rows(problems, self._config),
            processing_class=tokenizer,
            peft_config=peft_config,
            callbacks=[_Begin(self)],
        )
        self._writer = EventWriter(files.events) if self.accelerator.is_main_process else None
        # What is wanted goes round on the CPU: over NCCL, a paused run would keep every GPU at it.
        several = self.accelerator.num_processes > 1
        self._control_group = torch.distributed.new_group(backend="gloo") if several else None

    @property
    def task(self) -> Task:
        return self._problems.task

    @property
    def step(self) -> int:
        """Steps done."""
        return self.state.global_step // self.num_iterations

    def emit(self, event: dict) -> None:
        if self._writer:
            self._writer.append(event)

    def say(self, state: str) -> None:
        """Tells the sidecar where the run stands."""
        self._status.state, self._status.step = state, self.step
        if self.accelerator.is_main_process:
            self._files.write_status(self._status)

    def mark_process(self) -> None:
        """Takes over from an earlier process: what it said last no longer holds."""
        self._status = Status(save=self._files.read_status().save, pid=os.getpid())
        self.say("starting")

    def close(self) -> None:
        if self._writer:
            self._writer.close()

    # What TRL asks for.

    def create_scheduler(self, num_training_steps: int, optimizer=None):
        config = self._config
        if self.lr_scheduler is None:
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                optimizer or self.optimizer, lambda update: self._factor(update // config.num_iterations)
            )
        return self.lr_scheduler

    def create_model_card(self, *_, **__) -> None:
        """A checkpoint is what a model folder needs, and no more."""

    def _factor(self, step: int) -> float:
        config = self._config
        return factor(config.lr_scheduler_type, config.warmup_steps, config.max_steps, step)

    def _reward(self, name: str) -> Callable:
        def reward(completion_ids, problem, **_) -> list[float]:
            # The first function judges for all.
            if self._sampled is None or self._sampled[1] is not completion_ids:
                problems = [Problem(p["prompt"], p["answer"], [("", "")] * p["steps"]) for p in problem]
                judged = [self._score(p, ids) for p, ids in zip(problems, completion_ids, strict=True)]
                self._sampled = (problems, completion_ids, judged)
            return [each.rewards[name] for each in self._sampled[2]]

        reward.__name__ = name
        return reward

    def _score(self, problem: Problem, ids: list[int]) -> Score:
        limit, names = self._config.max_completion_length, self._config.reward_funcs
        text, truncated = self._tokens.completion(ids), self._tokens.truncated(ids)
        return score(self.task, problem, text, len(ids), truncated, limit, names)

    def _tokenize_prompts(self, prompts: list):
        """A plain prompt is <bos>, where there is one, and its tokens, whatever the tokenizer would add by itself."""
        if not isinstance(prompts[0], str):
            return super()._tokenize_prompts(prompts)
        bos = self._tokenizer.bos_token_id
        ids = self._tokenizer(text=prompts, add_special_tokens=False)["input_ids"]
        return [each if bos is None else [bos, *each] for each in ids], None, {}

    # Listening.

    def _generate_and_score_completions(self, inputs):
        start = time.perf_counter()
        output = super()._generate_and_score_completions(inputs)
        problems, ids, scores = self._sampled
        size = len(ids)
        self._batch = Batch(
            problems=problems,
            ids=ids,
            scores=scores,
            tensors={name: output[name] for name in ("prompt_ids", "prompt_mask", "completion_ids")},
            advantages=output["advantages"].tolist(),
            logprobs=[None] * size,
            rollout_ms=(time.perf_counter() - start) * 1000,
            started=start,
        )
        if self._config.mask_truncated_completions:
            # TRL then hides truncated completions from attention too: what the loss computes is not what was sampled.
            self._batch.logprobs = self._rescore(self._batch)
        # Shuffled and cut up with the rest, so that the loss's values find their way back.
        output["row"] = torch.arange(size, device=output["completion_ids"].device)
        return output

    def _get_per_token_logps_and_entropies(self, *arguments, **named):
        result = super()._get_per_token_logps_and_entropies(*arguments, **named)
        if self._capturing:
            self._captured = result[0].detach()
        return result

    def _compute_loss(self, model, inputs):
        self._capturing = True
        try:
            loss = super()._compute_loss(model, inputs)
        finally:
            self._capturing = False
        batch = self._batch
        if self._captured is not None:
            # Of several updates, the first sees the policy that sampled.
            for row, values in zip(inputs["row"].tolist(), self._captured.float().tolist(), strict=True):
                if batch.logprobs[row] is None:
                    batch.logprobs[row] = values[: len(batch.ids[row])]
            self._captured = None
        return loss

    @torch.no_grad()
    def _rescore(self, batch: Batch) -> list[list[float]]:
        """Log-probabilities of the batch's tokens under the weights as they are."""
        lengths = torch.tensor([len(ids) for ids in batch.ids], device=batch.tensors["completion_ids"].device)
        width = batch.tensors["completion_ids"].shape[1]
        mask = (torch.arange(width, device=lengths.device)[None] < lengths[:, None]).to(batch.tensors["prompt_mask"])
        with self.compute_loss_context_manager():
            values, _, _ = self._get_per_token_logps_and_entropies(
                self.model_wrapped,
                torch.cat([batch.tensors["prompt_ids"], batch.tensors["completion_ids"]], dim=1),
                torch.cat([batch.tensors["prompt_mask"], mask], dim=1),
                width,
                batch_size=self.args.per_device_train_batch_size,
            )
        return [row[: len(ids)] for row, ids in zip(values.float().tolist(), batch.ids, strict=True)]

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        super().log(logs, start_time)
        # Trainer's summary at the end is logged too, without a loss.
        if "loss" not in logs:
            return
        self._logged.append({name: float(value) for name, value in logs.items() if _is_number(value)})
        if self.state.global_step % self.num_iterations == 0:
            self._report()

    def _report(self) -> None:
        """The event of the step that has just ended; every process has a part in it."""
        batch = self._batch
        update_end = time.perf_counter()
        after = self._rescore(batch) if self._config.log_probability_change else [None] * len(batch.ids)
        rows = [
            self._describe(batch, i, after[i]) | {"problem": (problem.prompt, problem.answer)}
            for i, problem in enumerate(batch.problems)
        ]
        rows = gather_object(rows)
        metrics = {
            name: statistics.fmean(each[name] for each in self._logged if name in each)
            for name in dict.fromkeys(name for each in self._logged for name in each)
            if name not in ("epoch", "num_tokens")
        }
        metrics["num_tokens"] = self.state.num_input_tokens_seen
        self._logged = []
        end = time.perf_counter()
        timings = {
            "rollout": batch.rollout_ms,
            "update": (update_end - batch.started) * 1000 - batch.rollout_ms,
            "events": (end - update_end) * 1000,
            "total": (end - batch.started) * 1000,
        }
        # A local step's time has everything in it too.
        metrics["step_time"] = timings["total"] / 1000
        if self._writer:
            groups = self._groups(rows)
            self.emit({"type": "step", "step": self.step, "metrics": metrics, "groups": groups, "timings": timings})
        self._divergence = next((n for n in ("loss", "grad_norm") if not math.isfinite(metrics.get(n, 0))), None)

    def _describe(self, batch: Batch, i: int, after: list[float] | None) -> dict:
        ids, judged = batch.ids[i], batch.scores[i]
        described = {
            "text": self._tokens.completion(ids),
            "token_ids": ids,
            "tokens": self._tokens.each(ids),
            "logprobs": _rounded(batch.logprobs[i] or [math.nan] * len(ids)),
            "rewards": judged.rewards,
            "reward": weighted_sum(judged.rewards, self._weights),
            "advantage": batch.advantages[i],
            "truncated": self._tokens.truncated(ids),
            "style": judged.parsed.style,
        }
        return described | ({} if after is None else {"logprobs_after": _rounded(after)})

    def _groups(self, rows: list[dict]) -> list[dict]:
        size = self.num_generations
        groups = []
        for start in range(0, len(rows), size):
            completions = rows[start : start + size]
            (prompt, answer), *_ = [completion.pop("problem") for completion in completions]
            rewards = [completion["reward"] for completion in completions]
            groups.append(
                {
                    "prompt": prompt,
                    "answer": answer,
                    "mean": statistics.fmean(rewards),
                    "std": statistics.stdev(rewards),
                    "completions": completions,
                }
            )
        return groups

    # Between two steps.

    def begin(self) -> None:
        """Called by Trainer when model, optimizer and, for a run that goes on, the checkpoint are there."""
        self._boundary = self.state.global_step
        config = self._config
        if not any(event["type"] == "started" for event in self._past):
            self.emit(self._started())
        else:
            reached = next((event["step"] for event in reversed(self._past) if "step" in event), 0)
            reason = "the process that ran it ended without a word"
            self.emit({"type": "interrupted", "step": reached, "reason": reason, "resumes_from": self.step})
        evaluated = any(event["type"] == "eval" and event["step"] == 0 for event in self._past)
        if config.eval_steps > 0 and self.step == 0 and not evaluated:
            self.report_evaluation()
        if self._obey():
            raise StopRun

    def _started(self) -> dict:
        cuda = torch.cuda.is_available() and not self.args.use_cpu
        device = torch.cuda.get_device_name() if cuda else "CPU"
        count = self.accelerator.num_processes
        sampling = "vLLM" if self.use_vllm else "Transformers"
        unwrapped = self.accelerator.unwrap_model(self.model)
        architecture = (unwrapped.config.architectures or [type(unwrapped).__name__])[0]
        return {
            "type": "started",
            "schema": SCHEMA_VERSION,
            "run_id": self._files.folder.name,
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "config": self._config.model_dump(),
            "model": {"name": self._config.model, "parameters": self._parameters, "architecture": architecture},
            "device": {
                "kind": "trl",
                "description": f"TRL {trl.__version__}, sampling with {sampling}, on {count} × {device}",
            },
            "seed": self._config.seed,
        }

    def _maybe_log_save_evaluate(self, *arguments, **named) -> None:
        super()._maybe_log_save_evaluate(*arguments, **named)
        update = self.state.global_step
        # Trainer comes by once more at the end of the data.
        if update % self.num_iterations or update <= self._boundary:
            return
        self._boundary = update
        self._between_steps()

    def _between_steps(self) -> None:
        step, config = self.step, self._config
        if self._divergence:
            reason = (
                f"{self._divergence} is not finite at step {step}: the weights have diverged, and no further step can "
                "repair them. Start again with a lower learning rate or a stronger gradient clip."
            )
            self.emit({"type": "failed", "step": step, "reason": reason})
            self.say("failed")
            self.control.should_training_stop = True
            return
        last = step >= config.max_steps
        if config.eval_steps > 0 and (last or step % config.eval_steps == 0):
            self.report_evaluation()
        if last:
            self._finish("max_steps")
            return
        if config.save_steps > 0 and step % config.save_steps == 0:
            self.save_run()
        if self._obey():
            self.control.should_training_stop = True

    def _finish(self, reason: str) -> None:
        if self.step > 0:
            self.save_run()
        self.emit({"type": "finished", "step": self.step, "reason": reason})
        self.say("finished" if reason == "max_steps" else "stopped")

    def save_run(self) -> None:
        """A checkpoint that training can go on from and that opens as a model; told of when it is whole."""
        if (self._files.checkpoints / f"checkpoint-{self.state.global_step}" / "complete").exists():
            return
        self._save_checkpoint(self.model, None)
        self.accelerator.wait_for_everyone()
        if not self.accelerator.is_main_process:
            return
        folder = self._files.checkpoints / f"checkpoint-{self.state.global_step}"
        adapter = folder / "adapter_config.json"
        if adapter.exists():
            # A path of this machine is nothing to whoever downloads it.
            described = json.loads(adapter.read_text()) | {"base_model_name_or_path": self._config.model}
            adapter.write_text(json.dumps(described, indent=2))
        (folder / "complete").touch()
        reference = f"run:{self._files.folder.name}@{self.step}"
        self.emit({"type": "checkpoint", "step": self.step, "reference": reference})

    def _obey(self) -> bool:
        """Does what the sidecar wants, and waits while that is a pause. True when the run is to end."""
        while True:
            wish = self._read_control()
            if wish.live != self._live:
                self._apply(wish.live)
            if wish.save > self._status.save:
                self.save_run()
                self._status.save = wish.save
            self._status.seq = wish.seq
            if wish.state == "stopped":
                self._finish("stopped")
                return True
            if wish.state == "running" or self.step < wish.until:
                self.say("running")
                return False
            if self._status.state != "paused" or wish != self._control:
                self.say("paused")
            self._control = wish
            time.sleep(POLL)

    def _read_control(self) -> Control:
        """What the main process reads, in all of them."""
        wishes = [self._files.read_control() if self.accelerator.is_main_process else None]
        if self._control_group:
            torch.distributed.broadcast_object_list(wishes, src=0, group=self._control_group)
        return wishes[0]

    def _apply(self, live: dict[str, Any]) -> None:
        change = {name: value for name, value in live.items() if value != self._live.get(name)}
        self._live = live
        if "learning_rate" in change:
            # Kept by the scheduler, and so by a checkpoint.
            scheduler = getattr(self.lr_scheduler, "scheduler", self.lr_scheduler)
            scheduler.base_lrs = [change["learning_rate"]] * len(scheduler.base_lrs)
            for group in self.optimizer.param_groups:
                group["lr"] = change["learning_rate"] * self._factor(self.step)
            # What Trainer reports for the coming step.
            scheduler._last_lr = [group["lr"] for group in self.optimizer.param_groups]
        if "temperature" in change:
            self.temperature = change["temperature"]
            if self.use_vllm:
                self.vllm_generation.temperature = self.temperature
            else:
                self.generation_config.temperature = self.temperature
                self.generation_kwargs["temperature"] = self.temperature
        if "reward_weights" in change:
            # The functions stay those of the run; one that it doesn't have can't get a weight.
            given = dict(zip(change["reward_funcs"], change["reward_weights"], strict=True))
            self._weights = {name: given.get(name, 0) for name in self._config.reward_funcs}
            self.reward_weights = torch.tensor([float(weight) for weight in self._weights.values()])
        self.emit({"type": "changed", "step": self.step, "change": change})

    # Evaluation.

    def report_evaluation(self) -> None:
        self.emit({"type": "eval", "step": self.step, **self.evaluate_held_out()})

    def evaluate_held_out(self) -> dict:
        """`eval_` metrics as src/rl/evaluate.ts has them, over one completion of each held-out problem."""
        problems = self._problems.held_out()
        processes, rank = self.accelerator.num_processes, self.accelerator.process_index
        share = math.ceil(len(problems) / processes)
        mine = problems[rank * share : (rank + 1) * share]
        # Every process generates equally often: sharded weights come from all of them.
        padded = mine + [problems[0]] * (share - len(mine))
        size, forwards = local_batch(self._config, self._request.remote)
        rows = []
        self.model.eval()
        try:
            with own_randomness(self._config.seed, self.accelerator.device):
                for start in range(0, share, size * forwards):
                    rows += self._answers(padded[start : start + size * forwards])
        finally:
            self.model.train()
        rows = gather_object(rows[: len(mine)])
        return self._summarise(rows)

    def _answers(self, problems: list[Problem]) -> list[dict]:
        prompts = [to_prompt(self.task, problem) for problem in problems]
        ids, _, fields = self._tokenize_prompts(prompts)
        completions, _ = self._generate_single_turn(ids, None, fields)
        answers = []
        for problem, ids in zip(problems, completions, strict=True):
            judged = self._score(problem, ids)
            answers.append(
                {
                    "sample": {
                        "prompt": problem.prompt,
                        "answer": problem.answer,
                        "text": self._tokens.completion(ids),
                        "correct": judged.correct,
                    },
                    "style": judged.parsed.style,
                    "length": len(ids),
                    "truncated": self._tokens.truncated(ids),
                    "reward": weighted_sum(judged.rewards, self._config.weights()),
                }
            )
        return answers

    @staticmethod
    def _summarise(rows: list[dict]) -> dict:
        correct = [row["sample"]["correct"] for row in rows]
        metrics = {
            "eval_accuracy": statistics.fmean(correct),
            "eval_reward": statistics.fmean(row["reward"] for row in rows),
            "eval_mean_length": statistics.fmean(row["length"] for row in rows),
            "eval_truncated": statistics.fmean(row["truncated"] for row in rows),
        }
        for style in STYLES:
            right = [ok for row, ok in zip(rows, correct, strict=True) if row["style"] == style]
            metrics[f"eval_style/{style}"] = len(right) / len(rows)
            if right:
                metrics[f"eval_style_accuracy/{style}"] = statistics.fmean(right)
        return {"metrics": metrics, "samples": [row["sample"] for row in rows[:SHOWN]]}


class _Begin(TrainerCallback):
    def __init__(self, trainer: RunTrainer):
        self._trainer = trainer

    def on_train_begin(self, args, state, control, **_):
        self._trainer.begin()


def rows(problems: TaskProblems | DatasetProblems, config: RunConfig) -> Dataset:
    """A row for each prompt of the run, made when it is asked for."""

    def make(batch: dict[str, list[int]]) -> dict[str, list]:
        chosen = [problems.training(row) for row in batch["row"]]
        return {
            "prompt": [to_prompt(problems.task, problem) for problem in chosen],
            "problem": [{"prompt": p.prompt, "answer": p.answer, "steps": len(p.steps)} for p in chosen],
        }

    return Dataset.from_dict({"row": range(config.max_steps * config.num_prompts)}).with_transform(make)


@contextmanager
def own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Samples drawn inside take nothing from the run's own stream, and are the same each time."""
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _rounded(values: list[float]) -> list[float]:
    """Enough digits to see any change by, and a fifth of the size."""
    return [round(value, 5) if math.isfinite(value) else value for value in values]
