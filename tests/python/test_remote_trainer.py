"""Live settings between two steps, on a trainer without a model."""

import sys
from types import SimpleNamespace

import pytest
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "remote" / "src"))

from tinythink_remote.config import LiveConfig, RunConfig  # noqa: E402
from tinythink_remote.trainer import RunTrainer  # noqa: E402


@pytest.fixture
def trainer():
    """A run with two rewards."""
    made = object.__new__(RunTrainer)
    made._config = RunConfig(reward_funcs=["accuracy", "format"], reward_weights=[1.0, 0.2])
    made._run_control = SimpleNamespace(live={})
    made.state = SimpleNamespace(global_step=3)
    made.num_iterations = 1
    made.emitted = []
    made._emit = made.emitted.append
    return made


def apply(trainer: RunTrainer, **live) -> dict:
    """Applies settings as a request has them, and returns what the run reports as changed."""
    values = LiveConfig(**live).model_dump(exclude_none=True)
    trainer._apply(trainer._run_control.live | values)
    event = trainer.emitted.pop()
    assert (event["type"], event["step"], trainer.emitted) == ("changed", 3, [])
    return event["change"]


def test_reward_weights_can_change_while_the_rewards_stay(trainer):
    both = ["accuracy", "format"]
    apply(trainer, reward_funcs=both, reward_weights=[1.0, 0.5])
    # Only the weights differ from what was applied last; the run reports both lists nevertheless.
    change = apply(trainer, reward_funcs=both, reward_weights=[0.25, 2.0])
    assert change == {"reward_funcs": both, "reward_weights": [0.25, 2.0]}
    assert trainer._weights == {"accuracy": 0.25, "format": 2.0}
    assert trainer.reward_weights.tolist() == [0.25, 2.0]


def test_a_reward_that_is_left_out_weighs_nothing_and_one_the_run_lacks_gets_no_weight(trainer):
    change = apply(trainer, reward_funcs=["length", "format"], reward_weights=[3.0, 1.0])
    assert change == {"reward_funcs": ["length", "format"], "reward_weights": [3.0, 1.0]}
    assert trainer._weights == {"accuracy": 0, "format": 1.0}
    assert trainer.reward_weights.tolist() == [0.0, 1.0]
