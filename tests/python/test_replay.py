"""A run of ours replayed by TRL: the sampled tokens are given, all arithmetic from rewards to weights is TRL's and PyTorch's.

`--dump-batches` writes <out>/batches.jsonl, one line for each batch of samples:

    {"type": "batch", "step": 1, "learning_rate": x, "sequences": [
        {"prompt_ids": […], "completion_ids": […], "logprobs": […], "reward": r, "advantage": a, "truncated": false}, …]}

Sequences stand in group order. A batch is used for `num_iterations` updates at its learning rate.
"""

import json
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from transformers import AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

# Both sides compute in f32 in their own order of summation. Adam divides a gradient by its own size, so the update of
# a weight whose gradient is near zero is mostly rounding: PyTorch's f32 differs from its float64 by up to 6e-4 of a
# tensor's update (float32_rounding in the model goldens).
UPDATE_TOLERANCE = 1e-2
LOGPROB_TOLERANCE = 1e-3
METRIC_TOLERANCE = 1e-3

SAME_NAME = [
    "temperature",
    "loss_type",
    "beta",
    "use_bias_correction_kl",
    "epsilon",
    "epsilon_high",
    "delta",
    "num_iterations",
    "num_generations",
    "max_completion_length",
    "importance_sampling_level",
    "scale_rewards",
    "mask_truncated_completions",
    "sapo_temperature_pos",
    "sapo_temperature_neg",
]


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


class Replay:
    """TRL's GRPOTrainer with the dumped samples for rollouts and the dumped rewards for a reward function."""

    def __init__(self, start: Path, config: dict, output: Path):
        self.config = config
        self.sequences: list[dict] = []
        arguments = GRPOConfig(
            output_dir=str(output),
            per_device_train_batch_size=config["num_prompts"] * config["num_generations"],
            report_to="none",
            use_cpu=True,
            bf16=False,
            **{name: config[name] for name in SAME_NAME},
        )
        self.trainer = GRPOTrainer(
            model=str(start),
            reward_funcs=self.rewards,
            args=arguments,
            train_dataset=Dataset.from_dict({"prompt": [""]}),
            processing_class=AutoTokenizer.from_pretrained(start, padding_side="left"),
            rollout_func=self.rollout,
        )
        self.model = self.trainer.model.train()
        self.trainer.current_gradient_accumulation_steps = 1  # what Trainer sets before the first training step
        assert {p.dtype for p in self.model.parameters()} == {torch.float32}
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            betas=(config["adam_beta1"], config["adam_beta2"]),
            eps=config["adam_epsilon"],
            weight_decay=config["weight_decay"],
        )

    def rollout(self, prompts, _trainer) -> dict:
        assert len(prompts) == len(self.sequences)
        ids = {name: [sequence[name] for sequence in self.sequences] for name in ("prompt_ids", "completion_ids")}
        return ids | {"logprobs": None}

    def rewards(self, completions, **_) -> list[float]:
        return [sequence["reward"] for sequence in self.sequences]

    def score(self, sequences: list[dict]) -> dict[str, torch.Tensor]:
        """What TRL makes of one batch of samples: padded ids and masks, advantages, old and reference log-probs."""
        self.sequences = sequences
        return self.trainer._generate_and_score_completions([{"prompt": ""} for _ in sequences])

    def logprobs(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Of the completion tokens under the weights as they are, [B, T]."""
        prompt_mask = inputs["prompt_mask"]
        attention_mask = torch.cat([prompt_mask, torch.ones_like(inputs["completion_ids"])], dim=1)
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
        with torch.no_grad():
            return self.trainer._get_per_token_logps_and_entropies(
                self.model, ids, attention_mask, inputs["completion_ids"].shape[1]
            )[0]

    def update(self, inputs: dict[str, torch.Tensor], learning_rate: float) -> dict[str, float]:
        """One optimizer step. Returns loss and gradient norm before clipping."""
        self.optimizer.zero_grad()
        loss = self.trainer.compute_loss(self.model, inputs)
        loss.backward()
        bound = self.config["max_grad_norm"] or float("inf")
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), bound)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        return {"loss": loss.item(), "grad_norm": norm.item()}


@pytest.fixture(scope="module")
def replayed(run, tmp_path_factory):
    """Replays the run once; each entry of the list has what was dumped and what TRL made of it."""
    events = read_lines(run.events)
    config = next(event["config"] for event in events if event["type"] == "started")
    assert config["num_iterations"] == run.num_iterations
    metrics = {event["step"]: event["metrics"] for event in events if event["type"] == "step"}
    replay = Replay(run.start, config, tmp_path_factory.mktemp("trl"))
    history = []
    for batch in read_lines(run.out / "batches.jsonl"):
        assert batch["type"] == "batch"
        inputs = replay.score(batch["sequences"])
        logprobs = replay.logprobs(inputs)
        updates = [replay.update(inputs, batch["learning_rate"]) for _ in range(config["num_iterations"])]
        history.append(
            {
                "batch": batch,
                "advantages": inputs["advantages"],
                "logprobs": logprobs,
                "updates": updates,
                "metrics": metrics.get(batch["step"]),
            }
        )
    assert history, "the run dumped no batches"
    return replay, history


def test_samples_earn_different_rewards(replayed):
    """Otherwise every advantage is zero, no weight moves, and the other tests prove nothing."""
    _, history = replayed
    assert any(entry["advantages"].abs().max() > 0.1 for entry in history)


def test_advantages(replayed):
    _, history = replayed
    for entry in history:
        ours = torch.tensor([sequence["advantage"] for sequence in entry["batch"]["sequences"]])
        torch.testing.assert_close(ours, entry["advantages"].float(), rtol=1e-4, atol=1e-4)


def test_sampling_log_probabilities(replayed):
    """Those that our sampler kept, token by token through its cache, are those of the whole sequence at once."""
    _, history = replayed
    for entry in history:
        for sequence, theirs in zip(entry["batch"]["sequences"], entry["logprobs"]):
            ours = torch.tensor(sequence["logprobs"])
            assert len(ours) == len(sequence["completion_ids"])
            assert (ours - theirs[: len(ours)]).abs().max() < LOGPROB_TOLERANCE


def test_truncation_flags(replayed):
    replay, history = replayed
    end = {replay.trainer.processing_class.eos_token_id, replay.trainer.processing_class.pad_token_id}
    for entry in history:
        for sequence in entry["batch"]["sequences"]:
            assert sequence["truncated"] == (sequence["completion_ids"][-1] not in end)


def test_loss_and_gradient_norm(replayed):
    replay, history = replayed
    if replay.config["num_iterations"] > 1:
        pytest.skip("a step of several updates has one loss in its event and several here; the weights are compared")
    for entry in history:
        for name, theirs in entry["updates"][0].items():
            ours = entry["metrics"][name]
            assert abs(ours - theirs) < METRIC_TOLERANCE * max(1, abs(theirs)), (name, ours, theirs)


def test_final_weights(run, replayed):
    replay, _ = replayed
    start = load_file(run.start / "model.safetensors")
    ours = load_file(run.out / "model.safetensors")
    theirs = {name: p.detach() for name, p in replay.model.named_parameters()}
    assert ours.keys() == theirs.keys()
    assert {tensor.dtype for tensor in ours.values()} == {torch.float32}, "f16 would round the updates away"
    errors = {}
    for name, weight in theirs.items():
        update = (weight - start[name].float()).norm()
        assert update > 0, f"{name} did not move"
        errors[name] = ((ours[name] - weight).norm() / update).item()
    worst = max(errors, key=errors.get)
    assert errors[worst] < UPDATE_TOLERANCE, f"the update of {worst} differs by {errors[worst]:.2e} of its size"
