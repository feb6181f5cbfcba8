"""Thoughts and answers are separated as on the page: tests/tasks/answer.test.ts reads the same cases."""

import json
import sys

import pytest
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "remote" / "src"))

from tinythink_remote.answer import final_answer  # noqa: E402
from tinythink_remote.thoughts import separate_thoughts  # noqa: E402

CASES = json.loads((REPOSITORY / "tests" / "goldens" / "thoughts.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["text"] for case in CASES])
def test_thoughts_and_answer(case):
    message = separate_thoughts(case["text"])
    assert (message.thoughts, message.first, message.open) == (case["thoughts"], case["first"], case["open"])
    # Only the page shows the answer, without white space before it.
    assert message.answer.lstrip() == case["answer"].lstrip()
    assert final_answer(case["text"]) == case["final_answer"]


@pytest.mark.parametrize("text", ["`</think>`", "`<", "<think>\n", "</think>", "```\n", "<think>\n</think>"])
def test_many_tags_are_read_in_linear_time(text):
    final_answer(text * 20_000)
