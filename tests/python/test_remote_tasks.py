"""The sidecar's tasks and rewards are those of src/: both sides are held to tests/goldens/task_vectors.json."""

import json
import math
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY / "remote" / "src"))

from pydantic import ValidationError  # noqa: E402
from tinythink_remote.answer import final_answer, parse_chat_completion, parse_completion, same_answer  # noqa: E402
from tinythink_remote.config import RunConfig  # noqa: E402
from tinythink_remote.problems import DatasetProblems, read_jsonl, to_prompt  # noqa: E402
from tinythink_remote.rewards import score, weighted_sum  # noqa: E402
from tinythink_remote.rng import Rng  # noqa: E402
from tinythink_remote.tasks import TASKS, Problem  # noqa: E402

VECTORS = json.loads((REPOSITORY / "tests" / "goldens" / "task_vectors.json").read_text())


def problem_of(vector: dict) -> Problem:
    steps = [(step["expression"], step["value"]) for step in vector["steps"]]
    return Problem(vector["prompt"], vector["answer"], steps)


def test_random_streams():
    for vector in VECTORS["rng"]:
        rng = Rng(*vector["keys"])
        assert [rng.next() for _ in vector["next"]] == vector["next"]
        assert [rng.int(-3, 1000) for _ in vector["ints"]] == vector["ints"]
        assert rng.shuffle([1, 2, 3, 4, 5, 6, 7]) == vector["shuffled"]


def test_the_tasks_are_the_same():
    assert {vector["name"] for vector in VECTORS["tasks"]} == set(TASKS)
    for vector in VECTORS["tasks"]:
        assert TASKS[vector["name"]].instruction == vector["instruction"]
        assert TASKS[vector["name"]].difficulty == (vector["difficulty"]["min"], vector["difficulty"]["max"])


@pytest.mark.parametrize("vector", VECTORS["tasks"], ids=lambda vector: vector["name"])
def test_problems(vector):
    task = TASKS[vector["name"]]
    for drawn in vector["problems"]:
        rng = Rng(*drawn["keys"])
        for expected in drawn["problems"]:
            assert task.generate(rng, drawn["difficulty"]) == problem_of(expected)


@pytest.mark.parametrize("vector", VECTORS["tasks"], ids=lambda vector: vector["name"])
def test_verification(vector):
    problem = problem_of(vector["verify"]["problem"])
    for case in vector["verify"]["answers"]:
        assert TASKS[vector["name"]].verify(problem, case["answer"]) is case["correct"], case


@pytest.mark.parametrize("vector", VECTORS["tasks"], ids=lambda vector: vector["name"])
def test_rewards(vector):
    problem = problem_of(vector["scores"]["problem"])
    weights = dict(zip(VECTORS["reward_funcs"], VECTORS["reward_weights"], strict=True))
    verdicts = set()
    for case in vector["scores"]["completions"]:
        ours = score(
            TASKS[vector["name"]],
            problem,
            case["text"],
            case["length"],
            case["truncated"],
            VECTORS["max_completion_length"],
        )
        assert ours.parsed.style == case["style"], case
        for name, value in case["rewards"].items():
            assert math.isclose(ours.rewards[name], value, abs_tol=1e-15), (name, case)
        assert math.isclose(weighted_sum(ours.rewards, weights), case["reward"], abs_tol=1e-12)
        verdicts.add((ours.rewards["accuracy"], ours.rewards["format"]))
    assert len(verdicts) > 2, "the cases don't tell right, wrong and unformatted apart"


def test_parsing():
    for case in VECTORS["parsed"]:
        assert asdict(parse_completion(case["text"], case["steps"])) == case["parsed"], case
    for case in VECTORS["parsed_chat"]:
        assert asdict(parse_chat_completion(case["text"])) == case["parsed"], case


def test_final_answers():
    for case in VECTORS["final_answers"]:
        assert final_answer(case["text"]) == case["answer"], case


ANSWERS = json.loads((REPOSITORY / "tests" / "goldens" / "answers.json").read_text())


@pytest.mark.parametrize("golden", ANSWERS, ids=lambda golden: f"{golden['completion']} | {golden['reference']}")
def test_verdicts_on_answers_are_those_of_math_verify(golden):
    answer = final_answer(golden["completion"])
    verdict = answer is not None and same_answer(answer, golden["reference"])
    assert verdict is golden.get("ours", golden["math_verify"])


def test_numbers_of_a_file_are_taken_digit_for_digit():
    rows = read_jsonl('{"problem": "p", "answer": 9007199254740993}\n{"problem": "q", "answer": 0.10}')
    assert [row.answer for row in rows] == ["9007199254740993", "0.10"]


def with_field(key: str, value) -> dict:
    config = json.loads(json.dumps(VECTORS["config"]["defaults"]))
    head, _, tail = key.partition(".")
    if tail:
        config[head][config["reward_funcs"].index(tail)] = value
    else:
        config[head] = value
    return config


def accepts(key: str, value) -> bool:
    try:
        RunConfig.model_validate(with_field(key, value))
        return True
    except ValidationError as error:
        # Rules between fields are not the field's own.
        return any(issue["loc"] == () for issue in error.errors())


def test_a_page_of_an_earlier_version_sends_the_weights_as_a_record():
    config = RunConfig.model_validate({"reward_weights": {"accuracy": 1, "length": -0.5}})
    assert config.weights() == {"accuracy": 1, "length": -0.5}


def test_the_default_config_is_the_pages_own():
    config = RunConfig.model_validate({})
    assert config.model_dump() == VECTORS["config"]["defaults"]


@pytest.mark.parametrize("key", VECTORS["config"]["fields"])
def test_each_setting_takes_what_the_page_takes(key):
    field = VECTORS["config"]["fields"][key]
    if field["kind"] == "choice":
        assert all(accepts(key, option) for option in field["options"])
        assert not accepts(key, "other")
    elif field["kind"] == "switch":
        assert accepts(key, True) and accepts(key, False) and not accepts(key, "yes")
    elif field["kind"] == "number" and key not in ("cold_start_steps", "difficulty", "lora_r"):
        low, high = field["min"], field["max"]
        beyond = 1 if field["integer"] else 1e-3
        assert accepts(key, high) and not accepts(key, high + beyond)
        assert accepts(key, low) is not field["above"] and not accepts(key, low - beyond)
        assert accepts(key, None) is field["nullable"]
        assert not accepts(key, "1") and not accepts(key, True)
        if field["integer"]:
            assert not accepts(key, low + 0.5)
    elif key == "cold_start_dataset":
        # A page's own; a server makes no cold start.
        assert accepts(key, None) and not accepts(key, "lessons")
    elif key == "lora_r":
        assert accepts(key, None) and not accepts(key, 16)
    else:
        assert not accepts(key, None)


def test_data_sets():
    lines = [json.dumps({"question": f"{i}+{i}?", "answer": f"because\n#### {2 * i}"}) for i in range(30)]
    config = RunConfig(task="dataset:0123456789abcdef", eval_problems=64, seed=3)
    problems = DatasetProblems(config, read_jsonl("\n".join(lines)))
    held_out = {problem.prompt for problem in problems.held_out()}
    assert held_out == {f"{i}+{i}?" for i in (27, 28, 29)}
    epochs = [[problems.training(27 * epoch + i).prompt for i in range(27)] for epoch in range(2)]
    for epoch in epochs:
        assert len(set(epoch)) == 27 and not held_out & set(epoch)
    assert epochs[0] != epochs[1], "every epoch has an order of its own"
    assert problems.training(5) == DatasetProblems(config, read_jsonl("\n".join(lines))).training(5)
    (message,) = to_prompt(problems.task, problems.training(0))
    assert message["role"] == "user" and message["content"].startswith(problems.training(0).prompt)


@pytest.mark.parametrize(
    ("expected", "answer", "correct"),
    [
        ("18", "18", True),
        ("18", " $18.00$ ", True),
        ("1,234", "1234", True),
        ("0.5", ".5", True),
        ("0", "-0.0", True),
        ("18", "18 or 19", False),
        ("9007199254740993", "9007199254740992", False),
        ("\\frac{1}{2}", "\\frac{1}{2}", True),
        ("2, 9", "2,9", True),
        ("29", "2,9", False),
        ("18", "__import__('os')", False),
    ],
)
def test_answers_of_data_sets(expected, answer, correct):
    task = DatasetProblems(RunConfig(task="dataset:0123456789abcdef"), [Problem("a", "b")] * 2).task
    assert task.verify(Problem("?", expected), answer) is correct


def test_text_after_the_thought_is_read_in_a_data_set():
    task = DatasetProblems(RunConfig(task="dataset:0123456789abcdef"), [Problem("a", "b")] * 2).task
    boxed = score(task, Problem("?", "4"), "<think>2+2</think> so \\boxed{4}", 9, False, 100).rewards
    tagged = score(task, Problem("?", "4"), "<think>2+2</think>\n<answer>4</answer>", 9, False, 100).rewards
    assert (boxed["accuracy"], boxed["format"]) == (1, 0) and (tagged["accuracy"], tagged["format"]) == (1, 1)
