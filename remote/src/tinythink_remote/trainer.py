"""TRL's GRPOTrainer as a run: it reports what it does as the events of src/runs/events.ts, and can be paused, resumed,
changed and stopped.

All arithmetic is TRL's. What is overridden here only listens (to completions, rewards, log-probabilities and metrics), acts
between two steps (evaluation, checkpoints, pauses), or gives a step the problems and the learning rate that a local run
of the same config has. A step is one batch of completions. With num_iterations above 1 it is several of Trainer's own
steps, which are called updates here.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from .checkpoints import complete, is_complete, remove_oldest, update_folder
from .config import NewRun, RunConfig, local_batch
from .control import RunControl
from .disk import NoSpace, check_space, checkpoint_bytes, folder_bytes
from .evaluation import answer_row, own_randomness, share_of, summarise
from .events import EventWriter
from .files import RunFiles
from .problems import DatasetProblems, TaskProblems, reads_language, to_prompt
from .reports import MetricLog, completion_rows, diverged_metric, divergence_reason, groups_of, started_event
from .rollouts import Rollout, Scorer
from .schedule import factor
from .tasks import Problem
from .tokens import TokenTexts

# Seconds between two looks at control.json while paused.
POLL = 0.2


class StopRun(Exception):
    """The run was stopped before its first step."""


class RunTrainer(GRPOTrainer):
    """A run. Every process has one of these; the main process writes the events, the status and the checkpoints."""

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
        past_events: list[dict],
    ):
        self._config = request.config
        self._request = request
        self._files = files
        self._problems = problems
        self._tokens = TokenTexts(tokenizer)
        config = request.config
        self._scorer = Scorer(problems.task, self._tokens, config.max_completion_length, config.reward_funcs)
        # Those of earlier processes of this run.
        self._past_events = past_events
        self._weights = self._config.weights()
        self._metric_log = MetricLog()
        self._rollout: Rollout | None = None
        # The log-probabilities of the loss that is being computed.
        self._captured: torch.Tensor | None = None
        self._is_capturing = False
        # The number of updates at the last end of a step that was dealt with.
        self._last_boundary = -1
        self._diverged: str | None = None
        # In bytes; None until it is known.
        self._checkpoint_size: int | None = None
        # With ZeRO-3, a parameter's own size is that of its local part.
        self._parameters = sum(getattr(p, "ds_numel", p.numel()) for p in model.parameters())
        super().__init__(
            model=model,
            reward_funcs=self._scorer.reward_functions(),
            args=arguments,
            train_dataset=training_rows(problems, self._config),
            processing_class=tokenizer,
            peft_config=peft_config,
            callbacks=[_BeginCallback(self)],
        )
        is_main = self.accelerator.is_main_process
        self._writer = EventWriter(files.events) if is_main else None
        self._run_control = RunControl(files, is_main, self.accelerator.num_processes)

    @property
    def step(self) -> int:
        """The number of steps done."""
        return self.state.global_step // self.num_iterations

    def take_over(self) -> None:
        """Called in the main process, before training."""
        self._run_control.take_over()

    def close(self) -> None:
        if self._writer:
            self._writer.close()

    def _emit(self, event: dict) -> None:
        if self._writer:
            self._writer.append(event)

    # What TRL asks for.

    def create_scheduler(self, num_training_steps: int, optimizer=None):
        updates_per_step = self._config.num_iterations
        if self.lr_scheduler is None:
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                optimizer or self.optimizer, lambda update: self._lr_factor(update // updates_per_step)
            )
        return self.lr_scheduler

    def create_model_card(self, *_, **__) -> None:
        """Writes none: a checkpoint has only what a model folder needs."""

    def _lr_factor(self, step: int) -> float:
        config = self._config
        return factor(config.lr_scheduler_type, config.warmup_steps, config.max_steps, step)

    def _tokenize_prompts(self, prompts: list):
        """A plain prompt is its tokens after <bos>, if there is one, whatever else the tokenizer would add by itself."""
        if not isinstance(prompts[0], str):
            return super()._tokenize_prompts(prompts)
        bos = self._tokenizer.bos_token_id
        ids = self._tokenizer(text=prompts, add_special_tokens=False)["input_ids"]
        return [each if bos is None else [bos, *each] for each in ids], None, {}

    # Listening to a step.

    def _generate_and_score_completions(self, inputs):
        started = time.perf_counter()
        output = super()._generate_and_score_completions(inputs)
        problems, ids, scores = self._scorer.last
        self._rollout = Rollout(
            problems=problems,
            ids=ids,
            scores=scores,
            tensors={name: output[name] for name in ("prompt_ids", "prompt_mask", "completion_ids")},
            advantages=output["advantages"].tolist(),
            logprobs=[None] * len(ids),
            rollout_ms=(time.perf_counter() - started) * 1000,
            started=started,
        )
        if self._config.mask_truncated_completions:
            # TRL then also hides truncated completions from attention, so the loss's log-probabilities are not those
            # that sampled them.
            self._rollout.logprobs = self._logprobs_now(self._rollout)
        # TRL shuffles and splits the batch. This column leads the loss's values back to their completions.
        output["row"] = torch.arange(len(ids), device=output["completion_ids"].device)
        return output

    def _get_per_token_logps_and_entropies(self, *arguments, **named):
        result = super()._get_per_token_logps_and_entropies(*arguments, **named)
        if self._is_capturing:
            self._captured = result[0].detach()
        return result

    def _compute_loss(self, model, inputs):
        self._is_capturing = True
        try:
            loss = super()._compute_loss(model, inputs)
        finally:
            self._is_capturing = False
        if self._captured is not None:
            self._rollout.keep_logprobs(inputs["row"].tolist(), self._captured)
            self._captured = None
        return loss

    @torch.no_grad()
    def _logprobs_now(self, rollout: Rollout) -> list[list[float]]:
        """The log-probabilities of the rollout's tokens under the present weights."""
        tensors = rollout.tensors
        lengths = torch.tensor([len(ids) for ids in rollout.ids], device=tensors["completion_ids"].device)
        width = tensors["completion_ids"].shape[1]
        mask = (torch.arange(width, device=lengths.device)[None] < lengths[:, None]).to(tensors["prompt_mask"])
        with self.compute_loss_context_manager():
            values, _, _ = self._get_per_token_logps_and_entropies(
                self.model_wrapped,
                torch.cat([tensors["prompt_ids"], tensors["completion_ids"]], dim=1),
                torch.cat([tensors["prompt_mask"], mask], dim=1),
                width,
                batch_size=self.args.per_device_train_batch_size,
            )
        return [row[: len(ids)] for row, ids in zip(values.float().tolist(), rollout.ids, strict=True)]

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        super().log(logs, start_time)
        # Trainer also logs a summary at the end, which has no loss.
        if "loss" not in logs:
            return
        self._metric_log.add(logs)
        if self.state.global_step % self.num_iterations == 0:
            self._report_step()

    def _report_step(self) -> None:
        """Emits the event of the step that has just ended. Every process takes part, since the rows are gathered."""
        rollout = self._rollout
        update_end = time.perf_counter()
        after = self._logprobs_now(rollout) if self._config.log_probability_change else None
        rows = gather_object(completion_rows(rollout, self._tokens, self._weights, after))
        metrics = self._metric_log.take()
        metrics["num_tokens"] = self.state.num_input_tokens_seen
        end = time.perf_counter()
        timings = {
            "rollout": rollout.rollout_ms,
            "update": (update_end - rollout.started) * 1000 - rollout.rollout_ms,
            "events": (end - update_end) * 1000,
            "total": (end - rollout.started) * 1000,
        }
        # As in a local run, a step's time includes everything. TRL's own leaves out the optimizer.
        metrics["step_time"] = timings["total"] / 1000
        if self._writer:
            groups = groups_of(rows, self.num_generations)
            self._emit({"type": "step", "step": self.step, "metrics": metrics, "groups": groups, "timings": timings})
        self._diverged = diverged_metric(metrics)

    # Between two steps.

    def begin(self) -> None:
        """Called by Trainer once the model, the optimizer and the checkpoint to continue from, if any, are loaded."""
        self._last_boundary = self.state.global_step
        past = self._past_events
        if not any(event["type"] == "started" for event in past):
            self._emit(self._started())
        else:
            reached = next((event["step"] for event in reversed(past) if "step" in event), 0)
            reason = "the process that ran it ended unexpectedly"
            self._emit({"type": "interrupted", "step": reached, "reason": reason, "resumes_from": self.step})
        is_evaluated = any(event["type"] == "eval" and event["step"] == 0 for event in past)
        if self._config.eval_steps > 0 and self.step == 0 and not is_evaluated:
            self.report_evaluation()
        if self._follow_commands():
            raise StopRun

    def _started(self) -> dict:
        unwrapped = self.accelerator.unwrap_model(self.model)
        architecture = (unwrapped.config.architectures or [type(unwrapped).__name__])[0]
        return started_event(
            self._files.folder.name,
            self._config,
            {
                "parameters": self._parameters,
                "architecture": architecture,
                "reads_language": reads_language(self._tokenizer),
            },
            processes=self.accelerator.num_processes,
            on_gpu=torch.cuda.is_available() and not self.args.use_cpu,
            with_vllm=self.use_vllm,
        )

    def _maybe_log_save_evaluate(self, *arguments, **named) -> None:
        super()._maybe_log_save_evaluate(*arguments, **named)
        update = self.state.global_step
        # Trainer calls this once more at the end of the data.
        if update % self.num_iterations or update <= self._last_boundary:
            return
        self._last_boundary = update
        self._between_steps()

    def _between_steps(self) -> None:
        step, config = self.step, self._config
        if self._diverged:
            self._emit({"type": "failed", "step": step, "reason": divergence_reason(self._diverged, step)})
            self._run_control.set_status("failed", step)
            self.control.should_training_stop = True
            return
        is_last = step >= config.max_steps
        if config.eval_steps > 0 and (is_last or step % config.eval_steps == 0):
            self.report_evaluation()
        if is_last:
            self._finish("max_steps")
            return
        if config.save_steps > 0 and step % config.save_steps == 0:
            self.save_run()
        if self._follow_commands():
            self.control.should_training_stop = True

    def _finish(self, reason: str) -> None:
        if self.step > 0:
            self.save_run()
        self._emit({"type": "finished", "step": self.step, "reason": reason})
        self._run_control.set_status("finished" if reason == "max_steps" else "stopped", self.step)

    def save_run(self) -> None:
        """Saves a checkpoint, and emits its event once it is complete. Raises NoSpace before it writes anything if the disk
        has too little space for it."""
        folder = update_folder(self._files, self.state.global_step)
        if is_complete(folder):
            return
        # The main process looks at the disk for all of them, so that they agree.
        if full := self._run_control.share(self._lack_of_space):
            raise NoSpace(full)
        self._save_checkpoint(self.model, None)
        self.accelerator.wait_for_everyone()
        if not self.accelerator.is_main_process:
            return
        complete(folder, self._config.model)
        self._checkpoint_size = folder_bytes(folder)
        if limit := self._request.remote.save_total_limit:
            remove_oldest(self._files, limit)
        reference = f"run:{self._files.folder.name}@{self.step}"
        self._emit({"type": "checkpoint", "step": self.step, "reference": reference})

    def _lack_of_space(self) -> str | None:
        """Why the next checkpoint can't be saved; None if it can. Makes space for it by removing all but the last one, if
        their number has a limit."""
        if self._checkpoint_size is None:
            trained = sum(getattr(p, "ds_numel", p.numel()) for p in self.model.parameters() if p.requires_grad)
            self._checkpoint_size = checkpoint_bytes(self._parameters, trained)
        what = f"the checkpoint of step {self.step}"
        try:
            check_space(self._files.folder, self._checkpoint_size, what)
        except NoSpace:
            if self._request.remote.save_total_limit:
                remove_oldest(self._files, 1)
            try:
                check_space(self._files.folder, self._checkpoint_size, what)
            except NoSpace as error:
                return str(error)
        return None

    def _follow_commands(self) -> bool:
        """Does what the sidecar asks for, and waits while the run is paused. True when the run is to end."""
        control = self._run_control
        while True:
            asked = control.read()
            if asked.live != control.live:
                self._apply(asked.live)
            if asked.save > control.status.save:
                try:
                    self.save_run()
                    control.status.note = ""
                except NoSpace as error:
                    # The run can do without a checkpoint that only a person asked for.
                    control.status.note = str(error)
                control.status.save = asked.save
            control.status.seq = asked.seq
            if asked.state == "stopped":
                self._finish("stopped")
                return True
            if asked.state == "running" or self.step < asked.until:
                control.set_status("running", self.step)
                return False
            control.set_paused(asked, self.step)
            time.sleep(POLL)

    def _apply(self, live: dict[str, Any]) -> None:
        """Applies live settings that have changed, from the next step on."""
        change = {name: value for name, value in live.items() if value != self._run_control.live.get(name)}
        self._run_control.live = live
        if "learning_rate" in change:
            self._set_learning_rate(change["learning_rate"])
        if "temperature" in change:
            self._set_temperature(change["temperature"])
        if "reward_weights" in change or "reward_funcs" in change:
            # The two lists belong together, even if only one of them has changed.
            change |= {name: live[name] for name in ("reward_funcs", "reward_weights")}
            # The functions stay those of the run; one that it doesn't have can't get a weight.
            given = dict(zip(live["reward_funcs"], live["reward_weights"], strict=True))
            self._weights = {name: given.get(name, 0) for name in self._config.reward_funcs}
            self.reward_weights = torch.tensor([float(weight) for weight in self._weights.values()])
        self._emit({"type": "changed", "step": self.step, "change": change})

    def _set_learning_rate(self, rate: float) -> None:
        # The scheduler keeps it, and a checkpoint keeps the scheduler.
        scheduler = getattr(self.lr_scheduler, "scheduler", self.lr_scheduler)
        scheduler.base_lrs = [rate] * len(scheduler.base_lrs)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * self._lr_factor(self.step)
        # Trainer reports this for the next step.
        scheduler._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _set_temperature(self, temperature: float) -> None:
        self.temperature = temperature
        if self.use_vllm:
            self.vllm_generation.temperature = temperature
        else:
            self.generation_config.temperature = temperature
            self.generation_kwargs["temperature"] = temperature

    # Evaluation.

    def report_evaluation(self) -> None:
        self._emit({"type": "eval", "step": self.step, **self._evaluate_held_out()})

    def _evaluate_held_out(self) -> dict:
        """Metrics over one completion of each held-out problem."""
        processes, rank = self.accelerator.num_processes, self.accelerator.process_index
        problems, own = share_of(self._problems.held_out(), processes, rank)
        size, forwards = local_batch(self._config, self._request.remote)
        at_once = size * forwards
        rows = []
        self.model.eval()
        try:
            with own_randomness(self._config.seed, self.accelerator.device):
                for start in range(0, len(problems), at_once):
                    rows += self._answer(problems[start : start + at_once])
        finally:
            self.model.train()
        return summarise(gather_object(rows[:own]))

    def _answer(self, problems: list[Problem]) -> list[dict]:
        prompts = [to_prompt(self._problems.task, problem) for problem in problems]
        ids, _, fields = self._tokenize_prompts(prompts)
        completions, _ = self._generate_single_turn(ids, None, fields)
        # The config's weights, so that evaluations stay comparable when live weights change.
        weights = self._config.weights()
        return [
            answer_row(problem, ids, self._tokens, self._scorer.score, weights)
            for problem, ids in zip(problems, completions, strict=True)
        ]


class _BeginCallback(TrainerCallback):
    def __init__(self, trainer: RunTrainer):
        self._trainer = trainer

    def on_train_begin(self, args, state, control, **_):
        self._trainer.begin()


def training_rows(problems: TaskProblems | DatasetProblems, config: RunConfig) -> Dataset:
    """One row for each prompt of the run, generated on access."""

    def make(batch: dict[str, list[int]]) -> dict[str, list]:
        chosen = [problems.training(row) for row in batch["row"]]
        return {
            "prompt": [to_prompt(problems.task, problem) for problem in chosen],
            "problem": [{"prompt": p.prompt, "answer": p.answer, "steps": len(p.steps)} for p in chosen],
        }

    return Dataset.from_dict({"row": range(config.max_steps * config.num_prompts)}).with_transform(make)
