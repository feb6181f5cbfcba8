"""Makes grpo_loss.json and grpo_advantages.json: what TRL's GRPOTrainer computes, by running it.

A real GRPOTrainer is built for every case, on the small Llama of make_models.py. Its own
`_generate_and_score_completions` turns fixed completions (through `rollout_func`) and fixed rewards into masks,
advantages and normalisers; its own `compute_loss` turns these into the loss and the metrics. One method is replaced
while the loss is computed: `_get_per_token_logps_and_entropies` returns given log-probabilities, in float64, as the leaf
that the gradient is taken of. README.md documents the layout.

    python tests/goldens/make_grpo.py
"""

import json
import logging
import os
import tempfile
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

import torch
import transformers
import trl
from datasets import Dataset
from transformers import AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

from vocabulary import EOS

HERE = Path(__file__).parent
MODEL = str(HERE / "models" / "llama")
G, GROUPS, MAX_COMPLETION_LENGTH = 4, 2, 12
B = G * GROUPS

LOSS_TYPES = ["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo"]
CLIPPED = ["grpo", "bnpo", "dr_grpo", "dapo"]

# The names of the options are GRPOConfig's; what a case does not name keeps DEFAULTS.
DEFAULTS = dict(
    loss_type="dapo",
    importance_sampling_level="token",
    beta=0.0,
    use_bias_correction_kl=True,
    epsilon=0.2,
    epsilon_high=0.2,
    delta=None,
    sapo_temperature_pos=1.0,
    sapo_temperature_neg=1.05,
    mask_truncated_completions=False,
)


def loss_cases() -> dict[str, dict]:
    """Options of each case by name. `batch` names the batch; `on_policy` leaves out the old log-probabilities."""
    cases: dict[str, dict] = {}
    for loss_type in LOSS_TYPES:
        # cispo's epsilon_high is the cap itself: 1.3 cuts some ratios off, the recommended 5.0 hardly any.
        own = {"loss_type": loss_type} | ({"epsilon_high": 1.3} if loss_type == "cispo" else {})
        cases[f"{loss_type}"] = own
        cases[f"{loss_type} + kl"] = own | {"beta": 0.04}
        cases[f"{loss_type} + mask truncated"] = own | {"mask_truncated_completions": True}
        cases[f"{loss_type} sequence"] = own | {"importance_sampling_level": "sequence"}
    for loss_type in ["grpo", "dapo", "cispo", "sapo"]:
        own = {"loss_type": loss_type, "epsilon_high": 5.0 if loss_type == "cispo" else 0.2}
        cases[f"{loss_type} + uncorrected kl"] = own | {"beta": 0.04, "use_bias_correction_kl": False}
    for loss_type in CLIPPED:
        cases[f"{loss_type} + delta"] = {"loss_type": loss_type, "delta": 1.5}
    for loss_type in ["grpo", "dapo"]:
        sequence = {"loss_type": loss_type, "importance_sampling_level": "sequence"}
        cases[f"{loss_type} sequence + kl"] = sequence | {"beta": 0.04}
        cases[f"{loss_type} sequence + uncorrected kl"] = sequence | {"beta": 0.04, "use_bias_correction_kl": False}
        cases[f"{loss_type} on policy"] = {"loss_type": loss_type, "on_policy": True}
        cases[f"{loss_type} nothing terminated"] = {
            "loss_type": loss_type,
            "mask_truncated_completions": True,
            "batch": "truncated",
        }
    cases["grpo sequence + kl + delta + mask truncated"] = {
        "loss_type": "grpo",
        "importance_sampling_level": "sequence",
        "beta": 0.04,
        "delta": 1.25,
        "mask_truncated_completions": True,
    }
    cases["dapo + kl + delta + mask truncated"] = {
        "beta": 0.04,
        "delta": 1.5,
        "mask_truncated_completions": True,
    }
    cases["dapo clip higher"] = {"epsilon_high": 0.28}
    cases["sapo other temperatures"] = {
        "loss_type": "sapo",
        "sapo_temperature_pos": 2.0,
        "sapo_temperature_neg": 3.0,
    }
    return cases


def make_batch(seed: int, lengths: list[int], truncated: list[bool], rewards: list[float]) -> dict:
    """Random completions and log-probabilities, far enough from every clipping boundary that float32 agrees with it."""
    generator = torch.Generator().manual_seed(seed)
    width = max(lengths)
    mask = torch.arange(width)[None] < torch.tensor(lengths)[:, None]
    logps = -3 * torch.rand(B, width, generator=generator, dtype=torch.float64) - 0.02
    drift = 0.35 * torch.randn(B, width, generator=generator, dtype=torch.float64)
    # A shift shared by a whole sequence, so that sequence-level ratios leave the clipping range as well.
    drift += torch.tensor([0.4, -0.4, 0.0, 0.3, -0.35, 0.05, 0.35, -0.3])[:, None]
    drift[0, 0], drift[3, 0], drift[5, 0] = 1.2, -1.5, 0.9
    boundaries = torch.tensor([0.8, 1.2, 1.25, 1.28, 1.3, 1.5, 5.0])
    sequence_drift = (drift * mask).sum(1) / mask.sum(1)
    for ratios in (drift.exp()[mask], sequence_drift.exp()):
        assert (ratios[:, None] - boundaries).abs().min() > 1e-3, "move the seed: a ratio lies on a clipping boundary"
    completions = []
    for length, cut in zip(lengths, truncated):
        ids = torch.randint(3, 60, (length,), generator=generator).tolist()
        completions.append(ids if cut else ids[:-1] + [EOS])
    return {
        "completion_ids": completions,
        "rewards": rewards,
        "logps": logps,
        "old_logps": logps - drift,
        "ref_logps": logps + 0.3 * torch.randn(B, width, generator=generator, dtype=torch.float64),
        "entropies": 2 * torch.rand(B, width, generator=generator, dtype=torch.float64),
        "mask": mask,
    }


BATCHES = {
    "ragged": make_batch(
        1,
        [1, 5, 12, 8, 3, 12, 7, 2],
        [False, False, True, False, False, True, False, True],
        [1.2, 0.2, 0.0, 1.0, 0.0, 0.2, 1.2, 0.0],
    ),
    "truncated": make_batch(2, [4, 12, 9, 12, 6, 3, 12, 5], [True] * B, [1.0, 0.0, 0.2, 0.0, 0.0, 1.2, 0.0, 0.0]),
}


def make_trainer(options: dict, completions: list[list[int]], rewards: dict[str, list[float | None]]) -> GRPOTrainer:
    """A GRPOTrainer whose rollouts are `completions` and whose reward functions return `rewards`, whatever the model."""

    def reward_function(name: str, values: list[float | None]):
        def function(completions, **_):
            return values

        function.__name__ = name
        return function

    config = GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=B,
        num_generations=G,
        max_completion_length=MAX_COMPLETION_LENGTH,
        report_to="none",
        use_cpu=True,
        bf16=False,
        **options,
    )
    trainer = GRPOTrainer(
        model=MODEL,
        reward_funcs=[reward_function(name, values) for name, values in rewards.items()],
        args=config,
        train_dataset=Dataset.from_dict({"prompt": ["1+2=", "34+5="]}),
        processing_class=AutoTokenizer.from_pretrained(MODEL),
        rollout_func=lambda prompts, _: {
            "prompt_ids": [[1, 8, 17, 9, 20] for _ in prompts],
            "completion_ids": completions,
            "logprobs": None,
        },
    )
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1  # what Trainer sets before the first training step
    return trainer


def rollout(trainer: GRPOTrainer) -> dict:
    return trainer._generate_and_score_completions([{"prompt": "1+2="}] * G + [{"prompt": "34+5="}] * G)


def metrics_of(trainer: GRPOTrainer) -> dict[str, float | None]:
    """What TRL logged; null where it has nothing but NaN to log."""
    values = {name: v[-1] for name, v in trainer._metrics["train"].items()}
    return {name: None if v != v else v for name, v in values.items()}


def ragged(tensor: torch.Tensor, lengths: list[int]) -> list[list[float]]:
    return [rounded(row[:n].tolist()) for row, n in zip(tensor, lengths)]


def rounded(value):
    """Ten significant digits: far below float32's rounding, and half the size."""
    if isinstance(value, list):
        return [rounded(v) for v in value]
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return float(f"{value:.10g}") if isinstance(value, float) else value


def run_loss_case(options: dict) -> dict:
    options = dict(options)
    batch_name = options.pop("batch", "ragged")
    on_policy = options.pop("on_policy", False)
    options = DEFAULTS | options
    batch = BATCHES[batch_name]
    lengths = [len(ids) for ids in batch["completion_ids"]]

    trainer = make_trainer(options, batch["completion_ids"], {"reward": batch["rewards"]})
    inputs = rollout(trainer)
    trainer._metrics["train"].clear()
    assert inputs["advantages"].abs().min() > 0
    inputs["advantages"] = inputs["advantages"].double()
    if not on_policy:
        inputs["old_per_token_logps"] = batch["old_logps"]
    if options["beta"] != 0:
        inputs["ref_per_token_logps"] = batch["ref_logps"]

    leaf = batch["logps"].clone().requires_grad_()
    trainer._get_per_token_logps_and_entropies = lambda *_, **__: (leaf, batch["entropies"], None)
    loss = trainer.compute_loss(trainer.model, inputs)
    loss.backward()
    assert (leaf.grad[~batch["mask"]] == 0).all(), "padding has a gradient"
    return {
        "options": options,
        "batch": batch_name,
        "on_policy": on_policy,
        "loss_mask": inputs["completion_mask"].max(1).values.tolist(),
        "num_items_in_batch": inputs["num_items_in_batch"].item(),
        "advantages": rounded(inputs["advantages"].tolist()),
        "loss": rounded(loss.item()),
        "grad": ragged(leaf.grad, lengths),
        "metrics": rounded(metrics_of(trainer)),
    }


ADVANTAGE_CASES = {
    "one of four": {"rewards": {"accuracy": [1, 0, 0, 0, 1, 1, 0, 0]}},
    "equal rewards": {"rewards": {"accuracy": [1, 1, 1, 1, 0, 0, 1, 0]}},
    "all equal": {"rewards": {"accuracy": [1, 1, 1, 1, 1, 1, 1, 1]}},
    "weighted sum": {
        "rewards": {"accuracy": [1, 0, 0, 1, 0, 0, 0, 0], "format": [1, 1, 0, 0, 1, 0, 0, 1]},
        "reward_weights": [1.0, 0.2],
    },
    "batch": {
        "rewards": {"accuracy": [1, 0, 0, 1, 0, 0, 0, 0], "format": [1, 1, 0, 0, 1, 0, 0, 1]},
        "reward_weights": [1.0, 0.2],
        "scale_rewards": "batch",
    },
    "none": {
        "rewards": {"accuracy": [1, 0, 0, 1, 0, 0, 0, 0], "format": [1, 1, 0, 0, 1, 0, 0, 1]},
        "reward_weights": [1.0, 0.2],
        "scale_rewards": "none",
    },
    "zero weight": {
        "rewards": {"accuracy": [1, 0, 0, 1, 0, 0, 0, 0], "length": [0.1, 0.9, 0.4, 0.5, 0.3, 0.2, 0.8, 0.7]},
        "reward_weights": [1.0, 0.0],
    },
    "a function without a reward": {
        "rewards": {"accuracy": [1, 0, 0, 1, 1, 0, 0, 0], "format": [1, None, 0, 0, None, None, None, None]},
        "reward_weights": [1.0, 0.5],
    },
    **{
        f"a completion without any reward, {scale}": {
            "rewards": {"accuracy": [1, None, 0, 1, 1, 0, 0, 0], "format": [1, None, 0, None, 0.5, 0, 1, 1]},
            "reward_weights": [1.0, 0.5],
            "scale_rewards": scale,
        }
        for scale in ["group", "batch", "none"]
    },
}


def run_advantage_case(case: dict) -> dict:
    weights = case.get("reward_weights", [1.0] * len(case["rewards"]))
    scale = case.get("scale_rewards", "group")
    completions = BATCHES["ragged"]["completion_ids"]
    options = {"scale_rewards": scale, "reward_weights": weights}
    trainer = make_trainer(options, completions, case["rewards"])
    inputs = rollout(trainer)
    return {
        "rewards": case["rewards"],
        "reward_weights": weights,
        "scale_rewards": scale,
        "advantages": rounded(inputs["advantages"].tolist()),
        "metrics": rounded(metrics_of(trainer)),
    }


def dump(value, indent: int = 0, depth: int = 3) -> str:
    """JSON with one line for each thing below `depth`, so that a changed case is a small diff."""
    if depth and isinstance(value, dict) and value:
        pad = " " * (indent + 1)
        items = (f"{pad}{json.dumps(k)}: {dump(v, indent + 1, depth - 1)}" for k, v in value.items())
        return "{\n" + ",\n".join(items) + "\n" + " " * indent + "}"
    return json.dumps(value, separators=(",", ":"))


def main() -> None:
    torch.set_num_threads(1)
    versions = {"trl": trl.__version__, "torch": torch.__version__.split("+")[0]}
    versions["transformers"] = transformers.__version__
    batches = {}
    for name, batch in BATCHES.items():
        lengths = [len(ids) for ids in batch["completion_ids"]]
        batches[name] = {
            "completion_ids": batch["completion_ids"],
            "rewards": batch["rewards"],
            **{k: ragged(batch[k], lengths) for k in ["logps", "old_logps", "ref_logps", "entropies"]},
        }
    loss = {
        "versions": versions,
        "num_generations": G,
        "max_completion_length": MAX_COMPLETION_LENGTH,
        "eos_token_id": EOS,
        "batches": batches,
        "cases": {name: run_loss_case(case) for name, case in loss_cases().items()},
    }
    (HERE / "grpo_loss.json").write_text(dump(loss) + "\n")
    advantages = {
        "versions": versions,
        "num_generations": G,
        "completion_ids": BATCHES["ragged"]["completion_ids"],
        "cases": {name: run_advantage_case(case) for name, case in ADVANTAGE_CASES.items()},
    }
    (HERE / "grpo_advantages.json").write_text(dump(advantages) + "\n")
    print(len(loss["cases"]), "loss cases,", len(advantages["cases"]), "advantage cases")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()
    main()
