"""Makes the model goldens: three small random checkpoints and what PyTorch computes with them.

For each of Llama, Qwen2 and Qwen3 it writes, under models/,

    <name>/                      a Hugging Face folder with f32 weights, as save_pretrained writes it
    <name>.golden.safetensors    inputs, logits, gradients, weights after five AdamW steps
    <name>.golden.json           loss and gradient norms, and how far PyTorch's own f32 is from these numbers

Everything is computed in float64 and stored as float32. README.md documents the tensors.

    python tests/goldens/make_models.py
"""

import copy
import json
import shutil
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from vocabulary import BOS, EOS, PAD, VOCAB_SIZE, make_tokenizer

HERE = Path(__file__).parent / "models"
LENGTHS = [1, 7, 33, 70]
ADAMW = {"lr": 1e-3, "betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": 0.1}
MAX_GRAD_NORM = 1.0
STEPS = 5

COMMON = dict(
    vocab_size=VOCAB_SIZE,
    num_hidden_layers=2,
    max_position_embeddings=256,
    pad_token_id=PAD,
    bos_token_id=BOS,
    eos_token_id=EOS,
)

# Between them: grouping 2 and 3; widths that are and are not powers of two; a head_dim of its own; tied and not;
# three values of rope_theta and two of rms_norm_eps. Small, because initial weights, gradients and final weights
# are all committed.
MODELS: dict[str, PreTrainedModel] = {
    "llama": LlamaForCausalLM(
        LlamaConfig(
            **COMMON,
            hidden_size=64,
            intermediate_size=72,
            num_attention_heads=4,
            num_key_value_heads=2,
            tie_word_embeddings=False,
            rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        )
    ),
    "qwen2": Qwen2ForCausalLM(
        Qwen2Config(
            **COMMON,
            hidden_size=48,
            intermediate_size=72,
            num_attention_heads=3,
            num_key_value_heads=1,
            tie_word_embeddings=True,
            rms_norm_eps=1e-6,
            rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        )
    ),
    "qwen3": Qwen3ForCausalLM(
        Qwen3Config(
            **COMMON,
            hidden_size=48,
            intermediate_size=72,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            tie_word_embeddings=True,
            rms_norm_eps=1e-6,
            rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
        )
    ),
}


def randomise(model: PreTrainedModel, generator: torch.Generator) -> None:
    """Weights wide enough that no part of the model is close to the identity, and the logits are not flat."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if name.endswith("norm.weight"):
                p.copy_(1 + 0.2 * noise)
            elif name.endswith(".bias"):
                p.copy_(0.3 * noise)
            else:
                p.copy_(0.15 * noise)


def float64_rms_norm(self, hidden_states: torch.Tensor) -> torch.Tensor:
    """Transformers' RMSNorm without its round trip through float32."""
    variance = hidden_states.pow(2).mean(-1, keepdim=True)
    return self.weight * hidden_states * torch.rsqrt(variance + self.variance_epsilon)


def to_float64(model: PreTrainedModel) -> PreTrainedModel:
    model = copy.deepcopy(model).double()
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = float64_rms_norm.__get__(module)
    return model


def logits_of(model: PreTrainedModel, sequences: list[torch.Tensor]) -> list[torch.Tensor]:
    """Each sequence by itself, [T, vocab]: no padding, nothing shared."""
    return [model(input_ids=ids[None], use_cache=False).logits[0] for ids in sequences]


def loss_of(model: PreTrainedModel, sequences: list[torch.Tensor]) -> torch.Tensor:
    """Cross-entropy, averaged over the next-token targets of all sequences together (one of length T has T - 1)."""
    logits = torch.cat([l[:-1] for l in logits_of(model, sequences)])
    targets = torch.cat([ids[1:] for ids in sequences])
    return F.cross_entropy(logits, targets)


def gradients(model: PreTrainedModel, sequences: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss_of(model, sequences).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def train(model: PreTrainedModel, sequences: list[torch.Tensor]) -> tuple[list[float], list[float]]:
    """Five AdamW steps on the same batch, in place. Returns the loss and the unclipped gradient norm at each step."""
    optimizer = torch.optim.AdamW(model.parameters(), foreach=False, **ADAMW)
    losses, norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(model, sequences)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM).item())
        optimizer.step()
        losses.append(loss.item())
    return losses, norms


def relative_error(a: torch.Tensor, b: torch.Tensor) -> float:
    """Largest absolute difference over the largest absolute value of the reference `b`."""
    return ((a.double() - b).abs().max() / b.abs().max()).item()


def version_4_config(config: dict) -> dict:
    """The same config in the form Transformers 4 wrote: rope_theta and torch_dtype at the top level."""
    config = dict(config)
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["rope_scaling"] = None
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.46.0"
    return config


def make(name: str, model: PreTrainedModel, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    randomise(model, generator)
    model.eval()
    sequences = [torch.randint(3, VOCAB_SIZE, (n,), generator=generator) for n in LENGTHS]

    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    if name == "llama":
        config = version_4_config(json.loads((folder / "config.json").read_text()))
        (folder / "config.v4.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")

    exact = to_float64(model)
    logits = torch.cat(logits_of(exact, sequences)).detach()
    grads = gradients(exact, sequences)
    losses, norms = train(exact, sequences)
    final = {n: p.detach() for n, p in exact.named_parameters()}

    # The unmodified model in f32 is the check on the float64 one, and shows how much rounding alone may change.
    plain_logits = torch.cat(logits_of(model, sequences)).detach()
    plain_grads = gradients(model, sequences)
    plain_losses, plain_norms = train(model, sequences)
    updates = {n: final[n] - p for n, p in to_float64(type(model).from_pretrained(folder)).named_parameters()}
    rounding = {
        "logits": relative_error(plain_logits, logits),
        "grad": max(relative_error(plain_grads[n], g) for n, g in grads.items()),
        "adamw": max((p.double() - final[n]).abs().max().item() for n, p in model.named_parameters()),
        "adamw_update": max(
            ((p.double() - final[n]).norm() / updates[n].norm()).item() for n, p in model.named_parameters()
        ),
    }
    assert rounding["logits"] < 1e-5 and rounding["grad"] < 1e-4, rounding
    assert all(abs(a - b) < 1e-4 for a, b in zip(plain_losses + plain_norms, losses + norms)), (losses, plain_losses)

    tensors = {
        "input_ids": torch.cat(sequences).int(),
        "lengths": torch.tensor(LENGTHS, dtype=torch.int32),
        "logits": logits.float(),
        **{f"grad.{n}": g.float() for n, g in grads.items()},
        **{f"adamw.{n}": p.float() for n, p in final.items()},
    }
    save_file({n: t.contiguous() for n, t in tensors.items()}, HERE / f"{name}.golden.safetensors")
    summary = {
        "lengths": LENGTHS,
        "loss": losses[0],
        "optimizer": {**ADAMW, "max_grad_norm": MAX_GRAD_NORM, "steps": STEPS},
        "losses": losses,
        "grad_norms": norms,
        "float32_rounding": rounding,
    }
    (HERE / f"{name}.golden.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(name, json.dumps({"loss": losses, "logits std": logits.std().item(), **rounding}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    HERE.mkdir(exist_ok=True)
    for i, (name, model) in enumerate(MODELS.items()):
        make(name, model, seed=i)
