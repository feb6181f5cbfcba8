"""Makes the LoRA goldens: adapters of the three small checkpoints of make_models.py, and what PEFT computes with them.

For each of Llama, Qwen2 and Qwen3 it writes, under lora/,

    <name>/                      a PEFT folder, as save_pretrained writes it; A and B are random
    <name>.golden.safetensors    logits of the longest sequence, gradients, A and B after five AdamW steps
    <name>.golden.json           loss, gradient norms and losses of the steps

Everything is computed in float64 and stored as float32. The sequences are those of models/<name>.golden.safetensors.

    python tests/goldens/make_lora.py
"""

import json
import shutil
from pathlib import Path

import torch
from make_models import ADAMW, LENGTHS, MAX_GRAD_NORM, STEPS, logits_of, loss_of, to_float64
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent
OUT = HERE / "lora"

# Between them: all projections and some, one of a stack and none, both scalings, a rank that is no multiple of four,
# ranks and scales of their own.
ADAPTERS = {
    "llama": LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"),
    "qwen2": LoraConfig(r=6, lora_alpha=6, use_rslora=True, target_modules=["q_proj", "v_proj", "up_proj"]),
    "qwen3": LoraConfig(r=8, lora_alpha=4, target_modules=["k_proj", "o_proj", "down_proj"]),
}
# As above, but only to be read: ranks and scales that differ between modules.
PATTERNS = LoraConfig(
    r=4,
    lora_alpha=8,
    target_modules=r".*\.(q_proj|k_proj|down_proj)",
    rank_pattern={r"layers\.1\..*k_proj": 6, "down_proj": 2},
    alpha_pattern={"down_proj": 5},
)


def adapters(model):
    """Name in the file and parameter of every A and B."""
    return {n.replace(".default.", "."): p for n, p in model.named_parameters() if "lora_" in n}


def adapted(name: str, config: LoraConfig, seed: int):
    base = AutoModelForCausalLM.from_pretrained(HERE / "models" / name, dtype=torch.float32)
    # The path ends up in adapter_config.json.
    base.config._name_or_path = base.name_or_path = f"tests/goldens/models/{name}"
    config.task_type = "CAUSAL_LM"
    model = get_peft_model(base, config)
    generator = torch.Generator().manual_seed(seed)
    for parameter in adapters(model).values():
        with torch.no_grad():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def save(model, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)


def sequences_of(name: str) -> list[torch.Tensor]:
    ids = load_file(HERE / "models" / f"{name}.golden.safetensors")["input_ids"].long()
    return list(ids.split(LENGTHS))


def make(name: str, config: LoraConfig, seed: int) -> None:
    model = adapted(name, config, seed)
    save(model, OUT / name)
    exact = to_float64(model)
    sequences = sequences_of(name)
    longest = logits_of(exact, sequences[-1:])[0].detach()
    parameters = adapters(exact)
    optimizer = torch.optim.AdamW(parameters.values(), foreach=False, **ADAMW)
    losses, norms, grads = [], [], None
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(exact, sequences)
        loss.backward()
        grads = grads or {n: p.grad.clone() for n, p in parameters.items()}
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), MAX_GRAD_NORM).item())
        optimizer.step()
        losses.append(loss.item())
    tensors = {
        "logits": longest.float(),
        **{f"grad.{n}": g.float() for n, g in grads.items()},
        **{f"adamw.{n}": p.detach().float() for n, p in parameters.items()},
    }
    save_file({n: t.contiguous() for n, t in tensors.items()}, OUT / f"{name}.golden.safetensors")
    summary = {
        "losses": losses,
        "grad_norms": norms,
        "optimizer": {**ADAMW, "max_grad_norm": MAX_GRAD_NORM, "steps": STEPS},
    }
    (OUT / f"{name}.golden.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(name, losses, norms)


def make_patterns() -> None:
    model = adapted("llama", PATTERNS, 9)
    save(model, OUT / "patterns")
    logits = logits_of(to_float64(model), sequences_of("llama")[-1:])[0].detach()
    save_file({"logits": logits.float().contiguous()}, OUT / "patterns.golden.safetensors")


if __name__ == "__main__":
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    for i, (name, config) in enumerate(ADAPTERS.items()):
        make(name, config, seed=i)
    make_patterns()
