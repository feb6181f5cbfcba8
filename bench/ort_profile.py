"""Where the peer's time goes: GPU time by kernel, from ONNX Runtime's own profile.

    pip install numpy onnx onnxruntime-webgpu==1.27.0      # not beside the packages of ort_decode.py
    python bench/ort_profile.py --shape r1-distill-qwen-1.5b --quant q4

The plugin that ort_decode.py measures writes no GPU times, so this takes the build with the provider inside, which is
some months older: its attention has a kernel or two more. Dispatches are timed one by one here, so the sum is more than
a step takes; the proportions are what it is for.
"""

from __future__ import annotations

import argparse
import collections
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime as ort

from ort_graph import SHAPES, Builder


def profile(path: Path, *, shape, cache: int, dtype, tokens: int, total: int, runs: int) -> list[dict]:
    """GPU time by kernel of a call with `tokens` new tokens and `total` in the cache: µs and dispatches a call."""
    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    settings.enable_profiling = True
    settings.profile_file_prefix = str(path.with_suffix(""))
    settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    session = ort.InferenceSession(str(path), settings, providers=["WebGpuExecutionProvider"])
    names = [(f"past.{layer}.{part}", f"present.{layer}.{part}") for layer in range(shape.layers)
             for part in ("key", "value")]
    empty = np.zeros((1, shape.kv_heads, cache, shape.head_dim), dtype)
    small = {"input_ids": np.ones((1, tokens), np.int64), "seqlens_k": np.array([total - 1], np.int32),
             "total": np.array([total], np.int32)}

    # This build makes no buffers from Python: a first call's outputs on the GPU become the cache that the others share.
    first = session.io_binding()
    for name, value in small.items():
        first.bind_cpu_input(name, value)
    for past, present in names:
        first.bind_cpu_input(past, empty)
        first.bind_output(present, "webgpu")
    first.bind_output("logits", "cpu")
    session.run_with_iobinding(first)
    buffers = dict(zip([*(present for _, present in names), "logits"], first.get_outputs(), strict=True))

    binding = session.io_binding()
    for name, value in small.items():
        binding.bind_cpu_input(name, value)
    for past, present in names:
        binding.bind_ortvalue_input(past, buffers[present])
        binding.bind_ortvalue_output(present, buffers[present])
    binding.bind_output("logits", "cpu")
    for _ in range(runs + 2):
        session.run_with_iobinding(binding)

    events = json.loads(Path(session.end_profiling()).read_text())
    del binding, first, buffers  # before the session, whose allocator they need
    # The first call and two warm-up calls don't count. They are as many dispatches each as the others, or a few more.
    kernels = [e for e in events if e.get("cat") == "Api"]
    kernels = kernels[len(kernels) * 3 // (runs + 3):]
    times, counts = collections.Counter(), collections.Counter()
    for event in kernels:
        node, _, kernel = event["name"].rpartition("&")
        name = kernel + (f" ({node.split(':')[0].split('.')[-2]})" if kernel.startswith("MatMul") and ".out:" in node
                         else "")
        times[name] += event["dur"]
        counts[name] += 1
    return [{"kernel": name, "us": time / runs, "dispatches": round(counts[name] / runs)}
            for name, time in times.most_common()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="r1-distill-qwen-1.5b")
    parser.add_argument("--quant", choices=["q4", "f16"], default="q4")
    parser.add_argument("--activations", choices=["f16", "f32"], default="f16")
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--runs", type=int, default=8)
    args = parser.parse_args()
    shape = SHAPES[args.shape]
    dtype = np.float16 if args.activations == "f16" else np.float32
    cache = -(-max(args.context + 1, args.prefill) // 256) * 256
    folder = Path(tempfile.mkdtemp(prefix="ort-"))
    try:
        builder = Builder(folder, shape, quant=args.quant, activations=args.activations, accuracy=4, cache=cache,
                          qkv="packed")
        for name, tokens, total in (("decode", 1, args.context + 1), ("prefill", args.prefill, args.prefill)):
            path = builder.graph(name, last_only=name == "prefill", head="logits")
            kernels = profile(path, shape=shape, cache=cache, dtype=dtype, tokens=tokens, total=total, runs=args.runs)
            ms, dispatches = sum(k["us"] for k in kernels) / 1000, sum(k["dispatches"] for k in kernels)
            print(f"onnxruntime-webgpu {ort.__version__}, {args.shape} {args.quant} {name}: {ms:.3f} ms in "
                  f"{dispatches} dispatches")
            for k in kernels:
                print(f"  {k['us']:10.1f} µs {k['dispatches']:5} × {k['kernel']}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
