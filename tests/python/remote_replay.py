"""The first step of a run on the sidecar, computed again by one process from its events: loss and gradient norm.

However many processes, batches and shards a run had, its first update must be that of the whole batch at once. Holds for
loss `dapo` with one iteration, of which the KL's gradient is 0 as long as nothing has been learnt.

    python tests/python/remote_replay.py events.jsonl public/models/tinythink-1m
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def first_step(events: list[dict]) -> dict:
    return next(event for event in events if event["type"] == "step" and event["step"] == 1)


def replay(events: list[dict], folder: Path) -> tuple[float, float]:
    """Loss and norm of its gradient, in float64, of step 1 from the model in `folder`."""
    config = next(event for event in events if event["type"] == "started")["config"]
    assert config["loss_type"] == "dapo" and config["num_iterations"] == 1
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
    groups = first_step(events)["groups"]
    tokens = sum(len(completion["token_ids"]) for group in groups for completion in group["completions"])
    loss = 0.0
    for group in groups:
        prompt = [tokenizer.bos_token_id, *tokenizer(group["prompt"], add_special_tokens=False)["input_ids"]]
        for completion in group["completions"]:
            ids = torch.tensor([prompt + completion["token_ids"]])
            logits = model(ids).logits[0, len(prompt) - 1 : -1] / config["temperature"]
            logprobs = logits.log_softmax(-1).gather(1, ids[0, len(prompt) :, None])[:, 0]
            ratio = (logprobs - logprobs.detach()).exp()
            share = -(ratio * completion["advantage"]).sum() / tokens
            share.backward()
            loss += share.item()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return loss, torch.cat([gradient.flatten() for gradient in gradients]).norm().item()


def main() -> None:
    file, folder = sys.argv[1:]
    events = [json.loads(line) for line in Path(file).read_text().splitlines()]
    metrics = first_step(events)["metrics"]
    for name, value in zip(("loss", "grad_norm"), replay(events, Path(folder)), strict=True):
        print(f"{name}: {metrics[name]:.6f} in the run, {value:.6f} by one process")


if __name__ == "__main__":
    main()
