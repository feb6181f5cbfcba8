"""The decoder as an ONNX graph of ONNX Runtime's own fused operators, with random weights.

The graph follows what onnxruntime-genai's model builder emits for its `webgpu` target (GroupQueryAttention with rotary
embedding inside and a cache shared between past and present, packed QKV, SkipSimplifiedLayerNormalization,
MatMulNBits), and is a little better for the peer where its operators allow it:

- the QKV bias is an input of MatMulNBits instead of an Add of its own;
- the lengths are inputs of the graph instead of sums over an attention mask;
- decode has no Gather before the LM head, and prefill projects its last token only.

Gate, up and SiLU are left as MatMulNBits, MatMulNBits, Sigmoid, Mul, Mul: ONNX Runtime fuses these five and the norm in
front of them into its MatMulNBitsMlp (WebGPU only) when it loads the graph.

Weights are random and the same for every layer: one layer lies in the file, and the initializers of all layers point at
it. Each is still a GPU buffer of its own, so nothing is read less often than with a real model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import ModelProto, StringStringEntryProto, TensorProto, helper

DOMAIN = "com.microsoft"
BLOCK = 32


@dataclass(frozen=True)
class Shape:
    """A decoder's sizes. `bias`: the QKV projections have one (Qwen2). `tied`: the LM head is the embedding."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    bias: bool
    tied: bool
    theta: float = 1e6


SHAPES = {
    "r1-distill-qwen-1.5b": Shape(1536, 28, 12, 2, 128, 8960, 151936, bias=True, tied=False, theta=1e4),
    "qwen2.5-0.5b": Shape(896, 24, 14, 2, 64, 4864, 151936, bias=True, tied=True),
    "llama-3.2-1b": Shape(2048, 16, 32, 8, 64, 8192, 128256, bias=False, tied=True, theta=5e5),
    # For machines without a GPU.
    "tiny": Shape(256, 4, 8, 2, 32, 768, 2048, bias=True, tied=True),
    "small": Shape(512, 8, 8, 2, 64, 1536, 8192, bias=True, tied=True),
    "tiny-llama": Shape(256, 2, 4, 2, 64, 512, 1024, bias=False, tied=True),
}


class Weights:
    """The file of external data: tensors are appended once and then only pointed at."""

    def __init__(self, path: Path, seed: int):
        self.file = open(path, "wb")
        self.name = path.name
        self.random = np.random.default_rng(seed)
        self.places: dict[str, tuple[int, int]] = {}

    def put(self, key: str, array: np.ndarray | None = None, *, noise: tuple[int, np.dtype] | None = None) -> None:
        """Append `array`, or `noise` = (count, dtype): standard normal numbers, repeated after 16M of them."""
        offset = -(-self.file.tell() // 4096) * 4096
        self.file.seek(offset)
        if array is not None:
            array.tofile(self.file)
        else:
            count, dtype = noise
            block = self.random.standard_normal(min(count, 1 << 24), dtype=np.float32).astype(dtype)
            for start in range(0, count, block.size):
                block[: count - start].tofile(self.file)
        self.places[key] = (offset, self.file.tell() - offset)

    def tensor(self, name: str, key: str, kind: int, dims: list[int]) -> TensorProto:
        """An initializer called `name` whose data is what was put under `key`."""
        offset, length = self.places[key]
        tensor = TensorProto(name=name, data_type=kind, dims=dims, data_location=TensorProto.EXTERNAL)
        for entry, value in (("location", self.name), ("offset", str(offset)), ("length", str(length))):
            tensor.external_data.append(StringStringEntryProto(key=entry, value=value))
        return tensor


class Builder:
    """Writes one folder: weights.bin and the graphs that share it."""

    def __init__(self, folder: Path, shape: Shape, *, quant: str, activations: str, accuracy: int, cache: int,
                 qkv: str, seed: int = 1):
        self.folder, self.shape, self.quant, self.accuracy, self.cache, self.qkv = (
            folder, shape, quant, accuracy, cache, qkv)
        self.kind = TensorProto.FLOAT16 if activations == "f16" else TensorProto.FLOAT
        self.dtype = np.dtype(np.float16 if activations == "f16" else np.float32)
        folder.mkdir(parents=True, exist_ok=True)
        self.weights = Weights(folder / "weights.bin", seed)
        self.stored: set[str] = set()

    # Weights.

    def store(self, key: str, rows: int, depth: int) -> None:
        """Put a random projection of unit gain from `depth` to `rows` features into the file, if not there yet."""
        if key in self.stored:
            return
        self.stored.add(key)
        gain = 1 / np.sqrt(depth)
        if self.quant == "q4":
            blocks = rows * depth // BLOCK
            nibbles = np.frombuffer(self.weights.random.bytes(blocks * BLOCK // 2), np.uint8)
            self.weights.put(f"{key}.q", nibbles)
            # Nibbles less 8 are even over -8..7, a standard deviation of 4.6.
            scales = self.weights.random.uniform(0.5, 1.5, blocks).astype(np.float32) * (gain / 4.8)
            self.weights.put(f"{key}.s", scales.astype(self.dtype))
        else:
            block = self.weights.random.standard_normal(min(rows * depth, 1 << 24), dtype=np.float32) * gain
            self.weights.put(key, np.resize(block.astype(self.dtype), rows * depth))

    def vector(self, key: str, values: np.ndarray) -> None:
        if key not in self.stored:
            self.stored.add(key)
            self.weights.put(key, values.astype(self.dtype))

    def initializer(self, name: str, key: str, dims: list[int], kind: int | None = None) -> str:
        self.initializers.append(self.weights.tensor(name, key, kind or self.kind, dims))
        return name

    # Nodes.

    def node(self, op: str, inputs: list[str], outputs: list[str], domain: str = "", **attributes) -> str:
        self.nodes.append(helper.make_node(op, inputs, outputs, name=f"{outputs[0]}:{op}", domain=domain, **attributes))
        return outputs[0]

    def project(self, name: str, x: str, rows: int, depth: int, *, key: str, bias: str = "", out: str = "") -> str:
        """y[…, rows] = x[…, depth] · weightᵀ (+ bias). The weight is stored under `key`."""
        out = out or f"{name}.out"
        self.store(key, rows, depth)
        if self.quant == "q4":
            blocks = depth // BLOCK
            inputs = [x,
                      self.initializer(f"{name}.q", f"{key}.q", [rows, blocks, BLOCK // 2], TensorProto.UINT8),
                      self.initializer(f"{name}.s", f"{key}.s", [rows * blocks])]
            inputs += ["", "", bias] if bias else []
            return self.node("MatMulNBits", inputs, [out], DOMAIN, K=depth, N=rows, bits=4, block_size=BLOCK,
                             accuracy_level=self.accuracy)
        weight = self.initializer(name, key, [depth, rows])
        if not bias:
            return self.node("MatMul", [x, weight], [out])
        return self.node("Add", [self.node("MatMul", [x, weight], [f"{out}.product"]), bias], [out])

    def arg_max(self, logits: str) -> None:
        """
        next = the index of the greatest of `logits` [1, 1, vocab].

        One ArgMax over a whole vocabulary is a single workgroup's work and took 4.8 of a step's 7.9 ms on an H200. So:
        the maxima of blocks of 128, the best block, and the best in it.
        """
        blocks, width = self.shape.vocab // 128, 128
        self.constant("argmax.blocks", TensorProto.INT64, [3], [1, blocks, width])
        self.constant("argmax.width", TensorProto.INT32, [1], [width])
        self.constant("argmax.axis", TensorProto.INT64, [1], [-1])
        self.constant("argmax.one", TensorProto.INT64, [2], [1, 1])
        table = self.node("Reshape", [logits, "argmax.blocks"], ["argmax.table"])
        maxima = self.node("ReduceMax", [table, "argmax.axis"], ["argmax.maxima"], keepdims=0)
        block = self.node("ArgMax", [maxima], ["argmax.block"], axis=-1, keepdims=0)
        row = self.node("Gather", [table, block], ["argmax.row"], axis=1)
        inside = self.node("ArgMax", [row], ["argmax.inside"], axis=-1, keepdims=0)
        parts = [self.node("Cast", [part], [f"{part}.i32"], to=TensorProto.INT32) for part in (block, inside)]
        start = self.node("Mul", [parts[0], "argmax.width"], ["argmax.start"])
        index = self.node("Add", [start, parts[1]], ["argmax.index"])
        flat = self.node("Reshape", [index, "argmax.one"], ["argmax.flat"])
        self.node("Cast", [flat], ["next"], to=TensorProto.INT64)

    def constant(self, name: str, kind: int, dims: list[int], values: list[int]) -> str:
        self.initializers.append(helper.make_tensor(name, kind, dims, values))
        return name

    def lengths_of_mask(self) -> None:
        """seqlens_k and total from attention_mask int64 [1, length], as model files for transformers.js do it."""
        self.constant("mask.axis", TensorProto.INT64, [1], [1])
        self.constant("mask.one", TensorProto.INT64, [1], [1])
        self.constant("mask.second", TensorProto.INT64, [], [1])
        ones = self.node("ReduceSum", ["attention_mask", "mask.axis"], ["mask.ones"], keepdims=0)
        less = self.node("Sub", [ones, "mask.one"], ["mask.less"])
        self.node("Cast", [less], ["seqlens_k"], to=TensorProto.INT32)
        dims = self.node("Shape", ["attention_mask"], ["mask.dims"])
        length = self.node("Gather", [dims, "mask.second"], ["mask.length"], axis=0)
        self.node("Cast", [length], ["total"], to=TensorProto.INT32)

    def graph(self, name: str, *, last_only: bool, head: str, hub: bool = False) -> Path:
        """
        Write the graph `name`.onnx.

        Inputs: input_ids int64 [1, S]; seqlens_k int32 [1], the cache's length after this call less 1; total int32 [1],
        that length; past.L.key and past.L.value [1, kv_heads, cache, head_dim].
        Outputs: present.L.key and present.L.value, to be bound to the buffers of the past, and by `head`:
        "logits" float32 [1, S or 1, vocab], or "argmax": next int64 [1, 1], which takes `last_only` or S = 1.
        With `hub`, the inputs and outputs are those of a model file on the Hugging Face Hub, for transformers.js:
        input_ids, attention_mask and past_key_values.L.key of any length; logits and present.L.key, longer by S.
        """
        past_name = "past_key_values" if hub else "past"
        s, d = self.shape, self.shape.head_dim
        self.nodes, self.initializers = [], []
        q_rows, kv_rows = s.heads * d, s.kv_heads * d

        self.vector("norm", self.weights.random.uniform(0.8, 1.2, s.hidden))
        angles = np.outer(np.arange(self.cache), s.theta ** (-np.arange(0, d, 2) / d))
        self.vector("cos", np.cos(angles))
        self.vector("sin", np.sin(angles))
        if "embedding" not in self.stored:
            self.stored.add("embedding")
            self.weights.put("embedding", noise=(s.vocab * s.hidden, self.dtype))
        cos = self.initializer("cos", "cos", [self.cache, d // 2])
        sin = self.initializer("sin", "sin", [self.cache, d // 2])

        if hub:
            self.lengths_of_mask()
        x = self.node("Gather", [self.initializer("embedding", "embedding", [s.vocab, s.hidden]), "input_ids"], ["x"])
        added = ""  # what the last block wants added to the residual stream

        def norm(at: str, *, last: bool = False) -> str:
            nonlocal x, added
            weight = self.initializer(f"{at}.norm", "norm", [s.hidden])
            if not added:
                return self.node("SimplifiedLayerNormalization", [x, weight], [f"{at}.normed"], axis=-1, epsilon=1e-6,
                                 stash_type=1)
            outputs = [f"{at}.normed"] + ([] if last else ["", "", f"{at}.x"])
            self.node("SkipSimplifiedLayerNormalization", [x, added, weight], outputs, DOMAIN, epsilon=1e-6)
            x = f"{at}.x"
            return outputs[0]

        for layer in range(s.layers):
            at = f"layer{layer}"
            normed = norm(f"{at}.attn")
            if self.qkv == "packed":
                rows = q_rows + 2 * kv_rows
                bias = ""
                if s.bias:
                    self.vector("qkv.bias", self.weights.random.normal(0, 0.1, rows))
                    bias = self.initializer(f"{at}.qkv.bias", "qkv.bias", [rows])
                q, k, v = self.project(f"{at}.qkv", normed, rows, s.hidden, key="qkv", bias=bias), "", ""
            else:
                parts = []
                for part, rows in (("q", q_rows), ("k", kv_rows), ("v", kv_rows)):
                    bias = ""
                    if s.bias:
                        self.vector(f"{part}.bias", self.weights.random.normal(0, 0.1, rows))
                        bias = self.initializer(f"{at}.{part}.bias", f"{part}.bias", [rows])
                    parts.append(self.project(f"{at}.{part}", normed, rows, s.hidden, key=part, bias=bias))
                q, k, v = parts
            self.node("GroupQueryAttention",
                      [q, k, v, f"{past_name}.{layer}.key", f"{past_name}.{layer}.value", "seqlens_k", "total",
                       cos, sin],
                      [f"{at}.attended", f"present.{layer}.key", f"present.{layer}.value"], DOMAIN,
                      num_heads=s.heads, kv_num_heads=s.kv_heads, scale=float(d**-0.5), do_rotary=1,
                      rotary_interleaved=0, local_window_size=-1)
            added = self.project(f"{at}.o", f"{at}.attended", s.hidden, q_rows, key="o")
            normed = norm(f"{at}.mlp")
            gate = self.project(f"{at}.gate", normed, s.intermediate, s.hidden, key="gate")
            up = self.project(f"{at}.up", normed, s.intermediate, s.hidden, key="up")
            silu = self.node("Mul", [gate, self.node("Sigmoid", [gate], [f"{at}.sigmoid"])], [f"{at}.silu"])
            product = self.node("Mul", [silu, up], [f"{at}.product"])
            added = self.project(f"{at}.down", product, s.hidden, s.intermediate, key="down")

        last = norm("head", last=True)
        if last_only:
            self.constant("last.index", TensorProto.INT64, [1], [-1])
            last = self.node("Gather", [last, "last.index"], ["last"], axis=1)
        rows = "S" if not last_only else 1
        wide = self.kind == TensorProto.FLOAT
        logits = self.project("head", last, s.vocab, s.hidden, key="head",
                              out="logits" if head == "logits" and wide else "")
        if head == "argmax":
            self.arg_max(logits)
            result = helper.make_tensor_value_info("next", TensorProto.INT64, [1, 1])
        else:
            if not wide:
                self.node("Cast", [logits], ["logits"], to=TensorProto.FLOAT)
            result = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, rows, s.vocab])

        def cache(length: int | str) -> list[int | str]:
            return [1, s.kv_heads, length if hub else self.cache, d]

        inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "S"])]
        if hub:
            inputs.append(helper.make_tensor_value_info("attention_mask", TensorProto.INT64, [1, "length"]))
        else:
            inputs += [helper.make_tensor_value_info(name, TensorProto.INT32, [1]) for name in ("seqlens_k", "total")]
        outputs = [result]
        for layer in range(s.layers):
            for part in ("key", "value"):
                inputs.append(helper.make_tensor_value_info(f"{past_name}.{layer}.{part}", self.kind, cache("past")))
                outputs.append(helper.make_tensor_value_info(f"present.{layer}.{part}", self.kind, cache("length")))
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.initializers)
        model: ModelProto = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(DOMAIN, 1)], ir_version=10,
            producer_name="tinythink bench")
        path = self.folder / f"{name}.onnx"
        path.write_bytes(model.SerializeToString())
        self.weights.file.flush()
        return path
