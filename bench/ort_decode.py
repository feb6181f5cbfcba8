"""How fast ONNX Runtime's WebGPU execution provider decodes and prefills a model's shape: the peer of `bench decode`.

    pip install numpy onnx onnxruntime==1.31.1 onnxruntime-ep-webgpu==0.4.0
    python bench/ort_decode.py --shape r1-distill-qwen-1.5b --quant q4 [--quant f16 …] [--json FILE]

transformers.js runs its models on this execution provider. Needs a Vulkan driver (libvulkan.so.1). Weights are random
(bench/ort_graph.py builds the graphs), so nothing is downloaded, and the time doesn't depend on them.

Decode: one row, greedy, from --context cached tokens on, in the ways a caller can close the loop:

    logits   the vocabulary's logits are read back and the CPU takes the greatest (what transformers.js does)
    ids      the greatest is found in the graph (better than one ArgMax does: Builder.arg_max), its id is read back
    chained  the id is copied on the GPU to the next step's input, and nothing is read until the end
    none     logits, every step fed the same token, and nothing is read until the end: the model alone

each with the commands recorded anew in every step, and with graph capture (recorded once, replayed). Every loop sends
the length (8 bytes) for each token. Prefill: --prefill tokens into an empty cache, the id of the next one read back.

Figures are medians of --repeats after a warm-up; a repeat of decode is --tokens tokens. bench/ort_profile.py tells what
took the time.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

from ort_graph import SHAPES, Builder

PROVIDER = "WebGpuExecutionProvider"


def webgpu_device():
    """Register the plugin and return its device. Raises RuntimeError where it finds no GPU."""
    import onnxruntime_ep_webgpu as plugin

    ort.register_execution_provider_library("webgpu", plugin.get_library_path())
    device = next((d for d in ort.get_ep_devices() if d.ep_name == PROVIDER), None)
    if device is None:
        raise RuntimeError("onnxruntime found no GPU (it looks in /sys/class/drm and /sys/bus/pci/devices)")
    return device


class Model:
    """A session and its buffers on the GPU: one row, a cache of fixed size that past and present share."""

    def __init__(self, device, path: Path, *, shape, cache: int, dtype, capture: bool, options: dict[str, str],
                 verbose: bool = False):
        settings = ort.SessionOptions()
        settings.log_severity_level = 0 if verbose else 3
        settings.enable_mem_pattern = False  # graph capture asks for it
        # A node the provider doesn't take would fail the session instead of falling back to the CPU.
        settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        options = {"powerPreference": "high-performance", "validationMode": "disabled",
                   "enableGraphCapture": "1" if capture else "0", "enableInt64": "1"} | options
        settings.add_provider_for_devices([device], options)
        self.session = ort.InferenceSession(str(path), settings)
        self.capture, self.cache = capture, cache
        self.rows = 0
        self.binding = self.session.io_binding()
        outputs = {o.name for o in self.session.get_outputs()}
        self.result_name = "next" if "next" in outputs else "logits"
        self.result_shape = [1, 1] if self.result_name == "next" else [1, 1, shape.vocab]
        result_dtype = np.int64 if self.result_name == "next" else np.float32
        self.past = []
        random = np.random.default_rng(2)
        block = random.standard_normal((1, shape.kv_heads, cache, shape.head_dim), dtype=np.float32).astype(dtype)
        for layer in range(shape.layers):
            for part in ("key", "value"):
                buffer = self.buffer(block.shape, dtype)
                buffer.update_inplace(block)
                self.past.append(buffer)
                self.binding.bind_ortvalue_input(f"past.{layer}.{part}", buffer)
                self.binding.bind_ortvalue_output(f"present.{layer}.{part}", buffer)
        self.result = self.buffer(self.result_shape, result_dtype)
        self.on_cpu = ort.OrtValue.ortvalue_from_shape_and_type(self.result_shape, result_dtype)
        self.binding.bind_ortvalue_output(self.result_name, self.result)
        self.seqlens = self.buffer([1], np.int32)
        self.binding.bind_ortvalue_input("seqlens_k", self.seqlens)
        # Graph capture reads the total length on the GPU, the plain path on the CPU.
        self.total_cpu = np.zeros(1, np.int32)
        self.total = self.buffer([1], np.int32) if capture else None
        if capture:
            self.binding.bind_ortvalue_input("total", self.total)

    def buffer(self, shape, dtype):
        return self.session.create_ortvalue_from_shape_and_type(list(shape), dtype, "webgpu")

    def set_tokens(self, tokens: np.ndarray) -> None:
        """The input: int64 [1, S]. A new S takes a new buffer."""
        if tokens.shape[1] != self.rows:
            self.rows = tokens.shape[1]
            self.ids = self.buffer(tokens.shape, np.int64)
            self.binding.bind_ortvalue_input("input_ids", self.ids)
        self.ids.update_inplace(tokens)

    def set_length(self, total: int) -> None:
        """Tokens in the cache after the next call."""
        assert total <= self.cache
        self.seqlens.update_inplace(np.array([total - 1], np.int32))
        if self.capture:
            self.total.update_inplace(np.array([total], np.int32))
        else:
            self.total_cpu[0] = total
            self.binding.bind_cpu_input("total", self.total_cpu)

    def run(self) -> None:
        self.session.run_with_iobinding(self.binding)

    def read(self) -> np.ndarray:
        """The result on the CPU, waiting for the GPU."""
        ort.copy_tensors([self.result], [self.on_cpu])
        return self.on_cpu.numpy()


def median(values):
    return statistics.median(values)


def bench_decode(model: Model, loop: str, *, context: int, tokens: int, repeats: int, vocab: int) -> dict:
    """Milliseconds a token: the median, least and greatest of the repeats."""
    seen = []

    def once(count: int) -> float:
        model.set_tokens(np.array([[1]], np.int64))
        model.set_length(context + 1)
        model.run()
        model.read()
        token = np.array([[1]], np.int64)
        seen.clear()
        start = time.perf_counter()
        for step in range(count):
            model.set_length(context + 1 + step)
            if loop in ("logits", "ids"):
                model.ids.update_inplace(token)
            model.run()
            if loop == "logits":
                token[0, 0] = int(np.argmax(model.read()[0, 0]))
                seen.append(int(token[0, 0]))
            elif loop == "ids":
                token[0, 0] = model.read()[0, 0]
                seen.append(int(token[0, 0]))
            elif loop == "chained":
                model.ids.update_inplace(model.result)
        model.read()
        return (time.perf_counter() - start) * 1000 / count

    once(min(tokens, 16))
    times = [once(tokens) for _ in range(repeats)]
    result = np.array(model.read())
    finite = bool(np.isfinite(result).all()) and (model.result_name == "logits" or 0 <= int(result.ravel()[0]) < vocab)
    return {"ms_per_token": median(times), "least": min(times), "greatest": max(times),
            "tokens_per_second": 1000 / median(times), "finite": finite, "distinct_tokens": len(set(seen)) or None}


def bench_prefill(model: Model, *, length: int, repeats: int, vocab: int) -> dict:
    """Milliseconds for `length` tokens, the next token's id read back."""
    prompt = np.random.default_rng(3).integers(0, vocab, (1, length))

    def once() -> float:
        start = time.perf_counter()
        model.set_tokens(prompt)
        model.set_length(length)
        model.run()
        model.read()
        return (time.perf_counter() - start) * 1000

    for _ in range(3):
        once()
    times = [once() for _ in range(repeats)]
    token = int(model.read().ravel()[0])
    return {"ms": median(times), "least": min(times), "greatest": max(times),
            "tokens_per_second": 1000 * length / median(times), "finite": 0 <= token < vocab}


def adapter_name() -> str:
    """The GPU as its driver calls it, as far as nvidia-smi or the Vulkan ICD's name tells."""
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        out = subprocess.run(query, capture_output=True, text=True, check=False)
        if out.returncode == 0:
            return out.stdout.strip()
    return Path(os.environ.get("VK_ICD_FILENAMES") or os.environ.get("VK_DRIVER_FILES") or "unknown").name


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="r1-distill-qwen-1.5b")
    parser.add_argument("--quant", choices=["q4", "f16"], action="append", help="may be given several times")
    parser.add_argument("--activations", choices=["f16", "f32"], default="f16")
    parser.add_argument("--accuracy", type=int, default=4, help="MatMulNBits' accuracy_level: 4 (int8) or 0")
    parser.add_argument("--qkv", choices=["packed", "separate"], action="append",
                        help="default: packed, and without a bias also separate, which the runtime fuses with the norm")
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--prefill", type=int, default=512, help="0: not measured")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--loops", default="logits,ids,chained,none")
    parser.add_argument("--capture", choices=["both", "on", "off"], default="both")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="for the provider")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()

    shape = SHAPES[args.shape]
    device = webgpu_device()
    options = dict(option.split("=", 1) for option in args.option)
    cache = -(-max(args.context + args.tokens + 1, args.prefill) // 256) * 256
    dtype = np.float16 if args.activations == "f16" else np.float32
    versions = {"onnxruntime": ort.__version__, "plugin": device.ep_metadata.get("version"),
                "python": platform.python_version()}
    report = {
        "peer": "onnxruntime-ep-webgpu", "versions": versions, "gpu": adapter_name(), "shape": args.shape,
        "sizes": shape.__dict__, "activations": args.activations, "context": args.context, "cache": cache,
        "tokens": args.tokens, "options": options, "results": [],
    }
    print(f"ONNX Runtime {ort.__version__}, WebGPU plugin {versions['plugin']}, on {report['gpu']}")
    print(f"{args.shape}: context {args.context}, cache {cache}, activations {args.activations}, "
          f"medians of {args.repeats} × {args.tokens} tokens", flush=True)

    def fail(what: str, error: Exception) -> None:
        message = str(error).strip().splitlines()[0][:300]
        report["results"].append({"what": what, "error": message})
        print(f"{what:44} failed: {message}", flush=True)

    for quant in args.quant or ["q4"]:
        for qkv in args.qkv or (["packed", "separate"] if quant == "q4" and not shape.bias else ["packed"]):
            folder = Path(tempfile.mkdtemp(prefix="ort-"))
            try:
                builder = Builder(folder, shape, quant=quant, activations=args.activations, accuracy=args.accuracy,
                                  cache=cache, qkv=qkv)
                graphs = {head: builder.graph(f"decode-{head}", last_only=False, head=head)
                          for head in ("logits", "argmax")}
                graphs["prefill"] = builder.graph("prefill", last_only=True, head="argmax")
                label = f"{quant}" + (f" level {args.accuracy} {qkv}" if quant == "q4" else "")
                common = {"shape": shape, "cache": cache, "dtype": dtype, "options": options, "verbose": args.verbose}

                for capture in {"both": [False, True], "on": [True], "off": [False]}[args.capture]:
                    for head in ("argmax", "logits"):
                        of_head = ("logits", "none") if head == "logits" else ("ids", "chained")
                        loops = [loop for loop in args.loops.split(",") if loop in of_head]
                        model = None
                        for loop in loops:
                            what = f"{label} decode {loop}" + (" captured" if capture else "")
                            try:
                                model = model or Model(device, graphs[head], capture=capture, **common)
                                result = bench_decode(model, loop, context=args.context, tokens=args.tokens,
                                                      repeats=args.repeats, vocab=shape.vocab)
                            except Exception as error:  # noqa: BLE001: reported as this row's result
                                fail(what, error)
                                continue
                            report["results"].append({"what": what, "kind": "decode", "quant": quant, "qkv": qkv,
                                                      "accuracy": args.accuracy, "loop": loop, "capture": capture}
                                                     | result)
                            print(f"{what:44} {result['ms_per_token']:8.3f} ms/token "
                                  f"{result['tokens_per_second']:8.1f} tokens/s  "
                                  f"({result['least']:.3f} to {result['greatest']:.3f})"
                                  f"{'' if result['finite'] else '  NOT FINITE'}", flush=True)
                        del model
                        gc.collect()
                if args.prefill:
                    what = f"{label} prefill {args.prefill}"
                    try:
                        model = Model(device, graphs["prefill"], capture=False, **common)
                        result = bench_prefill(model, length=args.prefill, repeats=max(args.repeats, 7),
                                               vocab=shape.vocab)
                        report["results"].append({"what": what, "kind": "prefill", "quant": quant, "qkv": qkv,
                                                  "accuracy": args.accuracy, "length": args.prefill} | result)
                        print(f"{what:44} {result['ms']:8.2f} ms       {result['tokens_per_second']:8.0f} tokens/s  "
                              f"({result['least']:.2f} to {result['greatest']:.2f})", flush=True)
                        del model
                        gc.collect()
                    except Exception as error:  # noqa: BLE001
                        fail(what, error)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    if args.json:
        args.json.write_text(json.dumps(report, indent=1))
    return int(any("error" in result for result in report["results"]))


if __name__ == "__main__":
    sys.exit(main())
