"""A random Qwen2 as a folder that transformers.js opens: config.json, onnx/model_q4.onnx and onnx/model.onnx (float32).

    pip install numpy onnx
    python bench/transformers_js/make_model.py FOLDER [--shape tiny|small]

The graphs are those of bench/ort_graph.py: the operators that model files for transformers.js are made of today.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import onnx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from ort_graph import SHAPES, Builder  # noqa: E402

CACHE = 1024  # positions in the rotary tables


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
        "tie_word_embeddings": shape.tied, "bos_token_id": None, "eos_token_id": None,
    }
    (args.folder / "config.json").write_text(json.dumps(config, indent=1))
    (args.folder / "generation_config.json").write_text("{}")
    for name, quant in (("model_q4", "q4"), ("model", "f32")):
        with tempfile.TemporaryDirectory() as folder:
            builder = Builder(Path(folder), shape, quant=quant, activations="f32", accuracy=4, cache=CACHE,
                              qkv="packed")
            path = builder.graph("model", last_only=False, head="logits", hub=True)
            onnx.save(onnx.load(path), args.folder / "onnx" / f"{name}.onnx")


if __name__ == "__main__":
    main()
