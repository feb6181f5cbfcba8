"""
A random Qwen2 as a folder that transformers.js and this repository's engine open: config.json, onnx/model_q4.onnx,
onnx/model.onnx (float32), and model.safetensors with the weights of the latter.

    pip install numpy onnx safetensors
    python bench/transformers_js/make_model.py FOLDER [--shape tiny|small]

The graphs are those of bench/ort_graph.py: the operators that model files for transformers.js are made of today.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from ort_graph import SHAPES, Builder, Shape  # noqa: E402

CACHE = 1024  # positions in the rotary tables


def hugging_face_tensors(model: onnx.ModelProto, shape: Shape) -> dict[str, np.ndarray]:
    """The weights of a float32 graph under the names and in the layout of a Hugging Face checkpoint."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    parts = {"q_proj": (0, queries), "k_proj": (queries, queries + keys), "v_proj": (queries + keys, queries + 2 * keys)}
    tensors = {"model.embed_tokens.weight": stored["embedding"], "model.norm.weight": stored["head.norm"],
               "lm_head.weight": stored["head"].T}
    for layer in range(shape.layers):
        ours, theirs = f"model.layers.{layer}", f"layer{layer}"
        for part, (first, end) in parts.items():
            tensors[f"{ours}.self_attn.{part}.weight"] = stored[f"{theirs}.qkv"][:, first:end].T
            tensors[f"{ours}.self_attn.{part}.bias"] = stored[f"{theirs}.qkv.bias"][first:end]
        tensors[f"{ours}.self_attn.o_proj.weight"] = stored[f"{theirs}.o"].T
        for part in ("gate", "up", "down"):
            tensors[f"{ours}.mlp.{part}_proj.weight"] = stored[f"{theirs}.{part}"].T
        tensors[f"{ours}.input_layernorm.weight"] = stored[f"{theirs}.attn.norm"]
        tensors[f"{ours}.post_attention_layernorm.weight"] = stored[f"{theirs}.mlp.norm"]
    return {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=["tiny", "small"], default="tiny")
    args = parser.parse_args()
    shape = SHAPES[args.shape]
    (args.folder / "onnx").mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim, "intermediate_size": shape.intermediate, "vocab_size": shape.vocab,
        "rope_theta": shape.theta, "max_position_embeddings": CACHE, "rms_norm_eps": 1e-6, "hidden_act": "silu",
        # The graph holds the head apart from the embedding, as model files on the Hub do for tied models too.
        "tie_word_embeddings": False, "bos_token_id": None, "eos_token_id": None,
    }
    (args.folder / "config.json").write_text(json.dumps(config, indent=1))
    (args.folder / "generation_config.json").write_text("{}")
    for name, quant in (("model_q4", "q4"), ("model", "f32")):
        with tempfile.TemporaryDirectory() as folder:
            builder = Builder(Path(folder), shape, quant=quant, activations="f32", accuracy=4, cache=CACHE,
                              qkv="packed")
            path = builder.graph("model", last_only=False, head="logits", hub=True)
            model = onnx.load(path)
            onnx.save(model, args.folder / "onnx" / f"{name}.onnx")
            if quant == "f32":
                save_file(hugging_face_tensors(model, shape), args.folder / "model.safetensors")


if __name__ == "__main__":
    main()
