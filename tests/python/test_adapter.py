"""Adapters go both ways: PEFT opens what `train --lora-r` writes, and `logits --adapter` computes what PEFT does."""

import json

import pytest
import torch
from conftest import GOLDENS
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

TOLERANCE = 1e-4  # largest difference over largest logit, both sides in f32
LORA = GOLDENS.parent / "lora"


def peft_logits(base, adapter, ids: list[int]) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with torch.no_grad():
        return PeftModel.from_pretrained(model, adapter).eval()(torch.tensor([ids])).logits[0]


def our_logits(cli, tmp_path, base, adapter, ids: list[int]) -> torch.Tensor:
    out = tmp_path / "logits.safetensors"
    cli("logits", "--model", base, "--adapter", adapter, "--ids", ",".join(map(str, ids)), "--out", out)
    return load_file(out)["logits"]


def worst(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    assert ours.shape == theirs.shape
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


@pytest.mark.parametrize(("name", "base"), [("qwen2", "qwen2"), ("patterns", "llama")])
def test_adapters_that_peft_wrote(cli, tmp_path, name, base):
    golden = load_file(GOLDENS / f"{base}.golden.safetensors")
    ids = golden["input_ids"][-golden["lengths"][-1] :].tolist()
    ours = our_logits(cli, tmp_path, GOLDENS / base, LORA / name, ids)
    assert worst(ours, peft_logits(GOLDENS / base, LORA / name, ids)) < TOLERANCE


def test_trained_adapter_opens_in_peft(cli, start_model, tmp_path):
    out = tmp_path / "adapter"
    cli(
        *("train", "--model", start_model, "--task", "sum", "--steps", 2, "--prompts", 2, "--group", 4, "--max-new", 40),
        *("--lora-r", 6, "--lora-alpha", 12, "--lora-target", "q_proj,v_proj,up_proj", "--lr", 0.01, "--seed", 7),
        # Lengths differ within a group even where all answers are wrong: there must be something to learn.
        *("--reward-length", 1, "--warmup-steps", 0, "--eval-steps", 0, "--save-steps", 1, "--out", out),
    )
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    assert events[-1]["type"] == "finished"
    assert (out / "checkpoint-1" / "adapter_model.safetensors").exists()
    tokenizer = AutoTokenizer.from_pretrained(start_model)
    ids = [tokenizer.bos_token_id] + tokenizer("12+34-5=<think>12+34=46", add_special_tokens=False).input_ids
    theirs = peft_logits(start_model, out, ids)
    assert worst(our_logits(cli, tmp_path, start_model, out, ids), theirs) < 1e-3  # the model is stored in f16
    with torch.no_grad():
        before = AutoModelForCausalLM.from_pretrained(start_model, dtype=torch.float32)(torch.tensor([ids])).logits[0]
    assert worst(before, theirs) > 1e-2, "training changed nothing"
