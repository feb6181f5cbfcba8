"""Makes small random checkpoints of every architecture and file format that the app opens, and what Transformers
computes with them.

Under checkpoints/ it writes Hugging Face folders (`<name>/`), GGUF files (`<name>.gguf`) and, for each,
`<name>.golden.safetensors`. README.md lists them and their tensors.

    python tests/goldens/make_checkpoints.py
"""

import json
import math
import shutil
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from safetensors.torch import save_file
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

import families
from make_models import to_float64

HERE = Path(__file__).parent / "checkpoints"
PROMPT, GREEDY, FORCED = 8, 16, 128
# Between the likeliest and the next token of every greedy step, so that rounding can't turn one into the other.
GREEDY_MARGIN = 0.05
# Reached by the forced continuation, so that every band of the scaling (kept, blended, divided) changes the logits.
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 1000000.0}

# ---------------------------------------------------------------------------------------------------------------- models


def config_of(kind: type, tokenizer: PreTrainedTokenizerFast, **options):
    sizes = dict(hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
    common = dict(num_key_value_heads=2, vocab_size=len(tokenizer), max_position_embeddings=512)
    ids = dict(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return kind(**{**sizes, **common, **ids, **options})


def randomise(model: PreTrainedModel, seed: int, dtype: torch.dtype) -> None:
    """Wide weights, as in make_models.py, whatever the width; rounded to what the file will hold."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if name.endswith("norm.weight"):
                value = 1 + 0.2 * noise
            elif name.endswith(".bias"):
                value = 0.3 * noise
            else:
                value = 1.2 / math.sqrt(p.shape[1]) * noise
            p.copy_(value.to(dtype).float())


# --------------------------------------------------------------------------------------------------------------- goldens


def goldens(name: str, model: PreTrainedModel, seed: int, vocabulary: int) -> None:
    """`vocabulary`: tokens of the tokenizer; the prompt is drawn from them, the embedding may have more rows."""
    model = model.eval()
    exact = to_float64(model)
    generator = torch.Generator().manual_seed(1000 + seed)
    with torch.no_grad():
        least = 0.0
        while least < GREEDY_MARGIN:
            prompt = torch.randint(3, vocabulary, (PROMPT,), generator=generator)
            ids, least = greedy(exact, prompt)
        logits = exact(input_ids=prompt[None], use_cache=False).logits[0]
        plain = model(input_ids=prompt[None], use_cache=False).logits[0]
        rounding = ((plain.double() - logits).abs().max() / logits.abs().max()).item()
        assert rounding < 1e-5, (name, rounding)
        forced = torch.randint(3, vocabulary, (FORCED,), generator=generator)
        all_logits = exact(input_ids=forced[None], use_cache=False).logits[0]
        top = all_logits.topk(2)
    tensors = {
        "input_ids": prompt.int(),
        "logits": logits.float(),
        "greedy": ids[PROMPT:].int(),
        "forced": forced.int(),
        "forced_top": top.indices[:, 0].int(),
        "forced_margin": (top.values[:, 0] - top.values[:, 1]).float(),
        "forced_last_logits": all_logits[-1].float(),
    }
    save_file({n: t.contiguous() for n, t in tensors.items()}, HERE / f"{name}.golden.safetensors")
    print(f"{name}: logits std {logits.std():.2f}, f32 off by {rounding:.1e}, least greedy margin {least:.3f}")


def greedy(model: PreTrainedModel, ids: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The prompt with its greedy continuation, and the least margin of a step."""
    margins = []
    for _ in range(GREEDY):
        last = model(input_ids=ids[None], use_cache=False).logits[0, -1]
        first, second = last.topk(2).values
        margins.append((first - second).item())
        ids = torch.cat([ids, last.argmax()[None]])
    return ids, min(margins)


# --------------------------------------------------------------------------------------------------------------- folders


def write_folder(
    name: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    dtype: torch.dtype,
    shard: str = "5GB",
    generation: dict | None = None,
) -> None:
    randomise(model, seed, dtype)
    goldens(name, model, seed, len(tokenizer))
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    for key, value in (generation or {}).items():
        setattr(model.generation_config, key, value)
    model.to(dtype).save_pretrained(folder, max_shard_size=shard)
    tokenizer.save_pretrained(folder)


def folders() -> None:
    """Between them: every architecture; f16 and bf16; sharded; tied and not; both forms of config.json."""
    made = families.llama3()
    config = config_of(LlamaConfig, made, tie_word_embeddings=True, rms_norm_eps=1e-5, rope_parameters=LLAMA3_ROPE)
    write_folder("llama3", LlamaForCausalLM(config), made, 0, torch.bfloat16)
    as_version_4("llama3")

    # Rows beyond the tokenizer's, as Qwen's embedding has; the distills of R1 are untied.
    made = families.r1_distill_qwen()
    config = config_of(
        Qwen2Config,
        made,
        vocab_size=320,
        tie_word_embeddings=False,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        use_sliding_window=False,
    )
    sampling = dict(do_sample=True, temperature=0.6, top_p=0.95)
    write_folder("r1-qwen2", Qwen2ForCausalLM(config), made, 1, torch.bfloat16, "60KB", sampling)

    made = families.qwen3()
    config = config_of(
        Qwen3Config, made, head_dim=32, tie_word_embeddings=True, rms_norm_eps=1e-6, rope_parameters=PLAIN_ROPE
    )
    sampling = dict(do_sample=True, temperature=0.6, top_p=0.95, top_k=20)
    write_folder("qwen3", Qwen3ForCausalLM(config), made, 2, torch.bfloat16, generation=sampling)

    made = families.sentencepiece()
    config = config_of(
        MistralConfig,
        made,
        head_dim=16,
        sliding_window=None,
        tie_word_embeddings=False,
        rms_norm_eps=1e-5,
        rope_parameters=PLAIN_ROPE,
    )
    write_folder("mistral", MistralForCausalLM(config), made, 3, torch.float16)

    # SmolLM2-135M has nine heads on three.
    made = families.smollm2()
    config = config_of(
        LlamaConfig,
        made,
        hidden_size=72,
        intermediate_size=64,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
    )
    write_folder("smollm2", LlamaForCausalLM(config), made, 4, torch.float16)


def as_version_4(name: str) -> None:
    """Adds config.v4.json: the same config in the form that Transformers 4 wrote, as in nearly every published model."""
    folder = HERE / name
    config = json.loads((folder / "config.json").read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = rope
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.46.0"
    (folder / "config.v4.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


# ------------------------------------------------------------------------------------------------------------------ GGUF

NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name: str) -> str:
    if name in NAMES:
        return NAMES[name]
    _, _, layer, rest = name.split(".", 3)
    module, kind = rest.rsplit(".", 1)
    return f"blk.{layer}.{NAMES[module]}.{kind}"


def interleave(weight: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp's order of the rows of Llama's queries and keys: the two halves of a head alternate."""
    rows, *rest = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, *rest).swapaxes(1, 2).reshape(weight.shape)


def deinterleave(weight: np.ndarray, heads: int) -> np.ndarray:
    rows, *rest = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, *rest).swapaxes(1, 2).reshape(weight.shape)


def random_blocks(rng: np.random.Generator, shape: tuple[int, ...], kind: T, scale: float) -> np.ndarray:
    """Random bytes are valid blocks of the K types as long as their f16 scales are set: the package can read these types
    and not write them. The scales are chosen so that the weights have about the standard deviation `scale`."""
    rows, columns = shape
    blocks = rows * columns // 256
    size = gguf.GGML_QUANT_SIZES[kind][1]
    data = rng.integers(0, 256, (blocks, size), dtype=np.uint8)

    def half(value: np.ndarray) -> np.ndarray:
        return value.astype(np.float16).view(np.uint8).reshape(blocks, 2)

    spread = rng.uniform(0.8, 1.2, blocks)
    if kind == T.Q6_K:
        # sc q with q from -32 to 31 and sc any int8: about 18.5 × 74.
        data[:, -2:] = half(scale / 1370 * spread * rng.choice([-1, 1], blocks))
    else:
        # d sc q − dmin m, sc and m from 0 to 63, q up to 15 or 31: dmin so that the mean is about zero.
        levels = 15 if kind == T.Q4_K else 31
        d = scale / (levels * 12.3) * spread
        data[:, 0:2] = half(d)
        data[:, 2:4] = half(d * levels / 2)
    return data.reshape(rows, columns // 256 * size)


def encode(rng: np.random.Generator, weight: np.ndarray, kind: T) -> tuple[np.ndarray, T, np.ndarray]:
    """A matrix in the type wanted, or in the one that llama.cpp falls back to where rows don't divide into blocks of
    256; with what gguf reads from it."""
    if kind in (T.Q4_K, T.Q5_K, T.Q6_K) and weight.shape[1] % 256 != 0:
        kind = {T.Q4_K: T.Q5_0, T.Q5_K: T.Q5_1, T.Q6_K: T.Q8_0}[kind]
    if kind in (T.Q4_K, T.Q5_K, T.Q6_K):
        data = random_blocks(rng, weight.shape, kind, float(weight.std()))
    else:
        data = gguf.quants.quantize(weight, kind)
    return data, kind, gguf.quants.dequantize(data, kind).reshape(weight.shape)


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer: PreTrainedTokenizerFast, pre: str) -> None:
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    added = {token["id"]: token for token in parts["added_tokens"]}
    texts = {i: text for text, i in tokenizer.get_vocab().items()}
    kinds = []
    for i in range(len(texts)):
        if i in added:
            kind = gguf.TokenType.CONTROL if added[i]["special"] else gguf.TokenType.USER_DEFINED
        elif pre == "llama" and texts[i].startswith("<0x"):
            kind = gguf.TokenType.BYTE
        else:
            kind = gguf.TokenType.NORMAL
        kinds.append(gguf.TokenType.UNKNOWN if texts[i] == "<unk>" else kind)
    tokens = [texts[i] for i in range(len(texts))]
    if pre == "llama":
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        # SentencePiece's scores: minus the rank for merged pieces, lower still for single characters.
        writer.add_token_list(tokens)
        writer.add_token_scores([0.0 if kind != gguf.TokenType.NORMAL else -float(i) for i, kind in enumerate(kinds)])
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(pre)
        writer.add_token_list(tokens)
        writer.add_token_merges([" ".join(pair) for pair in parts["model"]["merges"]])
    writer.add_token_types(kinds)
    for key, add in (("bos", writer.add_bos_token_id), ("eos", writer.add_eos_token_id), ("pad", writer.add_pad_token_id)):
        token = getattr(tokenizer, f"{key}_token_id")
        if token is not None:
            add(token)
    writer.add_add_bos_token(pre in ("llama", "llama-bpe", "deepseek-r1-qwen"))
    writer.add_chat_template(tokenizer.chat_template)


def write_gguf(
    name: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    pre: str,
    kinds: list[T],
    seed: int,
) -> None:
    """Matrices take the types in turn; norms and biases are f32, as llama.cpp writes them. The model gets the values
    that gguf reads from the file."""
    randomise(model, seed, torch.float32)
    rng = np.random.default_rng(seed)
    config = model.config
    arch = "llama" if config.model_type == "llama" else config.model_type
    writer = gguf.GGUFWriter(HERE / f"{name}.gguf", arch)
    writer.add_name(name)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if arch == "llama":
        writer.add_rope_dimension_count(head_dim)
    if arch == "qwen3":
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    add_tokenizer(writer, tokenizer, pre)
    if config.rope_parameters["rope_type"] == "llama3":
        factors = rope_factors(config.rope_parameters, head_dim)
        writer.add_tensor("rope_freqs.weight", factors)
    turn = 0
    for hf_name, parameter in model.named_parameters():
        weight = parameter.detach().numpy()
        heads = {"q_proj.weight": config.num_attention_heads, "k_proj.weight": config.num_key_value_heads}
        count = next((n for end, n in heads.items() if hf_name.endswith(end)), 0) if arch == "llama" else 0
        if weight.ndim == 1:
            writer.add_tensor(gguf_name(hf_name), weight.copy())
            continue
        stored = interleave(weight, count) if count else weight
        data, kind, back = encode(rng, stored.copy(), kinds[turn % len(kinds)])
        turn += 1
        writer.add_tensor(gguf_name(hf_name), data, raw_dtype=kind)
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(deinterleave(back, count) if count else back.copy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    goldens(name, model, seed, len(tokenizer))


def rope_factors(rope: dict, head_dim: int) -> np.ndarray:
    """What llama.cpp's converter writes: the divisor of each frequency."""
    base, factor = rope["rope_theta"], rope["factor"]
    context = rope["original_max_position_embeddings"]
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    factors = []
    for frequency in 1.0 / (base ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)):
        wavelength = 2 * math.pi / frequency
        if wavelength < context / high:
            factors.append(1)
        elif wavelength > context / low:
            factors.append(factor)
        else:
            smooth = (context / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(factors, dtype=np.float32)


def ggufs() -> None:
    """For Qwen2 a file for each type, Q5_K and Q6_K together, as llama.cpp mixes them; for Llama, whose queries and keys
    are stored in another order, the same for the types of 32 weights, and the K types together in one file."""
    small = dict(hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_key_value_heads=2)
    large = dict(hidden_size=256, intermediate_size=256, num_hidden_layers=1, num_key_value_heads=1)
    qwen, spm, llama3 = families.qwen2(), families.sentencepiece(), families.llama3()
    for i, kind in enumerate([T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q4_K, T.Q5_K]):
        name = kind.name.lower()
        wide = kind in (T.Q4_K, T.Q5_K)
        sizes = large if wide else small
        kinds = [T.Q5_K, T.Q6_K] if kind == T.Q5_K else [kind]
        config = config_of(
            Qwen2Config, qwen, tie_word_embeddings=True, rms_norm_eps=1e-6, rope_parameters=PLAIN_ROPE, **sizes
        )
        write_gguf(f"qwen2-{name}", Qwen2ForCausalLM(config), qwen, "qwen2", kinds, 20 + i)
        if wide or kind in (T.F32, T.BF16):
            continue
        rope = {"rope_type": "default", "rope_theta": 10000.0}
        tied = kind != T.Q8_0
        config = config_of(LlamaConfig, spm, tie_word_embeddings=tied, rms_norm_eps=1e-5, rope_parameters=rope, **small)
        write_gguf(f"llama-{name}", LlamaForCausalLM(config), spm, "llama", [kind], 40 + i)

    # Attention is narrow, so that the output projection's rows are too short for blocks of 256.
    narrow = {**large, "num_attention_heads": 2, "head_dim": 32}
    config = config_of(
        LlamaConfig, llama3, tie_word_embeddings=True, rms_norm_eps=1e-5, rope_parameters=LLAMA3_ROPE, **narrow
    )
    write_gguf("llama3-k", LlamaForCausalLM(config), llama3, "llama-bpe", [T.Q6_K, T.Q4_K, T.Q5_K], 60)

    made = families.qwen3()
    narrow = {**small, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 48}
    config = config_of(
        Qwen3Config, made, tie_word_embeddings=True, rms_norm_eps=1e-6, rope_parameters=PLAIN_ROPE, **narrow
    )
    write_gguf("qwen3-f16", Qwen3ForCausalLM(config), made, "qwen2", [T.F16], 61)


def rope_frequencies() -> None:
    """Transformers' inverse frequencies of well-known models, f32: rope_frequencies.json."""
    llama31 = dict(rope_type="llama3", low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)
    cases = [(64, {"rope_type": "default", "rope_theta": 1000000.0}), (128, {"rope_type": "default", "rope_theta": 10000.0})]
    cases += [(64, {**llama31, "rope_theta": 500000.0, "factor": 32.0}), (128, {**llama31, "rope_theta": 500000.0, "factor": 8.0})]
    made = []
    for head_dim, rope in [*cases, (16, LLAMA3_ROPE)]:
        config = LlamaConfig(hidden_size=head_dim, num_attention_heads=1, rope_parameters=dict(rope), num_hidden_layers=1)
        frequencies = LlamaRotaryEmbedding(config).inv_freq
        made.append({"head_dim": head_dim, "rope_parameters": rope, "frequencies": frequencies.tolist()})
    (HERE / "rope_frequencies.json").write_text(json.dumps(made) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    HERE.mkdir(exist_ok=True)
    folders()
    ggufs()
    rope_frequencies()
