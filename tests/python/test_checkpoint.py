"""A checkpoint is a Hugging Face folder: Transformers opens what we write, and computes the same logits from it."""

import shutil

import pytest
import torch
from conftest import GOLDENS
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

TOLERANCE = 1e-4  # largest difference over largest logit, both sides in f32


def transformers_logits(folder, ids: list[int]) -> torch.Tensor:
    model, report = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    with torch.no_grad():
        return model.eval()(torch.tensor([ids])).logits[0]


def assert_same_logits(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert ours.dtype == torch.float32 and ours.shape == theirs.shape
    error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    assert error < TOLERANCE, f"logits differ by {error:.2e} of the largest"


def golden_ids(name: str) -> list[int]:
    """The longest sequence of a model golden; it is the last."""
    golden = load_file(GOLDENS / f"{name}.golden.safetensors")
    return golden["input_ids"][-golden["lengths"][-1] :].tolist()


@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3"])
def test_logits_of_every_architecture(cli_logits, name):
    ids = golden_ids(name)
    assert_same_logits(cli_logits(GOLDENS / name, ids), transformers_logits(GOLDENS / name, ids))


def test_config_as_transformers_4_wrote_it(cli_logits, tmp_path):
    folder = shutil.copytree(GOLDENS / "llama", tmp_path / "llama")
    (folder / "config.v4.json").replace(folder / "config.json")
    ids = golden_ids("llama")
    assert_same_logits(cli_logits(folder, ids), transformers_logits(GOLDENS / "llama", ids))
    assert_same_logits(cli_logits(folder, ids), transformers_logits(folder, ids))


def test_trained_checkpoint_opens_in_transformers(run, cli_logits):
    tokenizer = AutoTokenizer.from_pretrained(run.out)
    text = "12+34-5=<think>12+34=46;46-5=41</think><answer>41</answer>"
    ids = [tokenizer.bos_token_id] + tokenizer(text, add_special_tokens=False).input_ids
    assert tokenizer.decode(ids[1:]) == text
    ours, theirs = cli_logits(run.out, ids), transformers_logits(run.out, ids)
    assert_same_logits(ours, theirs)
    before = transformers_logits(run.start, ids)
    assert (theirs - before).abs().max() > 10 * TOLERANCE * theirs.abs().max(), "training changed nothing"
