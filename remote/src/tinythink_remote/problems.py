"""What a run trains and is evaluated on, as rows for TRL: `prompt` for the model, `problem` for the rewards.

A toy task's problems are those of a local run with the same seed: step n draws its own from rng(seed, 1, n), held-out
problem i from rng(2, i). So there is no state to save, and a row can be made when it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from .answer import final_answer, same_answer
from .config import DATASET, RunConfig
from .rng import Rng
from .tasks import TASKS, Problem, Task

# Keys of the random streams, as in src/tasks/problems.ts.
TRAINING_PROBLEMS = 1
HELD_OUT_PROBLEMS = 2

INSTRUCTION = (
    "Think step by step between <think> and </think>, then give the final answer alone between <answer> and </answer>."
)
# Longer rows are refused: the schema of events bounds a prompt at this.
MAX_PROMPT = 10_000
PROMPT_KEYS = ("prompt", "problem", "question")


class TaskProblems:
    """Problems of a toy task, drawn as a local run draws them."""

    def __init__(self, config: RunConfig):
        self.task = TASKS[config.task]
        self._config = config

        @lru_cache(maxsize=4)
        def of_step(step: int) -> list[Problem]:
            rng = Rng(config.seed, TRAINING_PROBLEMS, step)
            return [self.task.generate(rng, config.difficulty) for _ in range(config.num_prompts)]

        self._of_step = of_step

    def training(self, row: int) -> Problem:
        step, i = divmod(row, self._config.num_prompts)
        return self._of_step(step + 1)[i]

    def held_out(self) -> list[Problem]:
        return [
            self.task.generate(Rng(HELD_OUT_PROBLEMS, i), self._config.difficulty)
            for i in range(self._config.eval_problems)
        ]


class DatasetProblems:
    """Rows of a data set with a prompt and an answer. The last ones, a tenth at most, are held out."""

    def __init__(self, config: RunConfig, rows: list[Problem]):
        if len(rows) < 2:
            raise ValueError("the data set has fewer than two rows")
        self.task = Task(config.task, (0, 1000), _no_generator, _same_answer, INSTRUCTION)
        held_out = min(config.eval_problems, max(1, len(rows) // 10))
        self._training, self._held_out = rows[:-held_out], rows[-held_out:]
        self._seed = config.seed

        @lru_cache(maxsize=2)
        def order(epoch: int) -> list[int]:
            return Rng(config.seed, TRAINING_PROBLEMS, epoch).shuffle(range(len(self._training)))

        self._order = order

    def training(self, row: int) -> Problem:
        epoch, i = divmod(row, len(self._training))
        return self._training[self._order(epoch)[i]]

    def held_out(self) -> list[Problem]:
        return self._held_out


def _no_generator(_rng: Rng, _difficulty: int) -> Problem:
    raise NotImplementedError("a data set is read, not generated")


def _same_answer(problem: Problem, answer: str) -> bool:
    return same_answer(answer, problem.answer)


class _WrittenNumber:
    """A number of a JSON file as it is written there, digit for digit."""

    def __init__(self, text: str):
        self._text = text

    def __str__(self) -> str:
        return self._text


def to_problem(row: object) -> Problem:
    """A row with `prompt`, `problem` or `question`, and `answer`: GSM8K's, MATH-500's, AIME's, or one's own.

    Raises ValueError saying what is missing.
    """
    if not isinstance(row, dict):
        raise ValueError("not an object with a prompt and an answer")
    prompt = next((row[key] for key in PROMPT_KEYS if isinstance(row.get(key), str)), None)
    answer = row.get("answer")
    if isinstance(answer, (int, float, _WrittenNumber)) and not isinstance(answer, bool):
        answer = str(answer)
    if prompt is None or not isinstance(answer, str):
        raise ValueError(f"a row needs one of {', '.join(PROMPT_KEYS)}, and answer, as texts")
    # GSM8K writes its reasoning, then #### and the answer; some files box the answer.
    if "####" in answer:
        answer = answer.rpartition("####")[2].strip()
    elif "\\boxed{" in answer:
        answer = final_answer(answer) or ""
    else:
        answer = answer.strip()
    if not 0 < len(prompt) <= MAX_PROMPT or not 0 < len(answer) <= MAX_PROMPT:
        raise ValueError(f"prompt and answer need 1 to {MAX_PROMPT} characters")
    return Problem(prompt, answer)


def read_jsonl(lines: Iterable[str]) -> list[Problem]:
    """Rows from the lines of a file, or from its text. Raises ValueError naming the line."""
    rows = []
    for number, line in enumerate(lines.split("\n") if isinstance(lines, str) else lines, 1):
        if (row := read_line(number, line)) is not None:
            rows.append(row)
    check_rows(len(rows))
    return rows


def read_line(number: int, line: str) -> Problem | None:
    """A line of a data set; None if it is empty. Raises ValueError naming it."""
    if not line.strip():
        return None
    try:
        problem = to_problem(json.loads(line, parse_int=_WrittenNumber, parse_float=_WrittenNumber))
        f"{problem.prompt}{problem.answer}".encode()
        return problem
    except UnicodeEncodeError:
        raise ValueError(f"line {number}: contains half of a character (a lone surrogate)") from None
    except (ValueError, RecursionError) as error:
        reason = "not JSON" if isinstance(error, (json.JSONDecodeError, RecursionError)) else str(error)
        raise ValueError(f"line {number}: {reason}") from None


def check_rows(count: int) -> None:
    """Raises ValueError if a data set has too few rows."""
    if count < 2:
        raise ValueError("a data set needs at least two rows")


def load_problems(config: RunConfig, datasets_folder: Path) -> TaskProblems | DatasetProblems:
    match = DATASET.fullmatch(config.task)
    if not match:
        return TaskProblems(config)
    described = json.loads((datasets_folder / f"{match[1]}.json").read_text())
    if "hub" not in described:
        with open(datasets_folder / f"{match[1]}.jsonl", encoding="utf-8", newline="\n") as lines:
            return DatasetProblems(config, read_jsonl(lines))
    from datasets import load_dataset

    rows = load_dataset(described["hub"], described.get("name"), split=described["split"])
    return DatasetProblems(config, [to_problem(row) for row in rows])


def reads_language(tokenizer) -> bool:
    """As src/rl/prompt.ts: whether a model reads language, and not only the characters of the toy tasks."""
    sentence = "Think step by step between <think> and </think>."
    decoded = tokenizer.decode(tokenizer(text=sentence, add_special_tokens=False)["input_ids"])
    # Some tokenizers change spaces.
    return "".join(decoded.split()) == "".join(sentence.split())


def to_prompt(task: Task, problem: Problem) -> str | list[dict[str, str]]:
    """As src/rl/prompt.ts: the prompt alone, or through the chat template where the task has an instruction."""
    if task.instruction is None:
        return problem.prompt
    return [{"role": "user", "content": f"{problem.prompt}\n{task.instruction}"}]
