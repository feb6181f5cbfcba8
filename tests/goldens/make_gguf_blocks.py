"""Makes gguf/blocks.json: what the `gguf` package makes of quantised blocks, and how it quantises.

For each type: random valid blocks as bytes, and their values as `gguf.quants.dequantize` gives them, f32 bits; for Q8_0
and Q4_0 also rows of random f32 values and the blocks that `gguf.quants.quantize` makes of them. Everything is base64.

    python tests/goldens/make_gguf_blocks.py
"""

import base64
import json
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize

OUT = Path(__file__).parent / "gguf" / "blocks.json"
ROWS, COLUMNS = 3, 512

# Where a block holds f16 scales and minima; the rest of its bytes may be anything.
HALVES = {
    Type.Q8_0: [0],
    Type.Q4_0: [0],
    Type.Q4_1: [0, 2],
    Type.Q5_0: [0],
    Type.Q5_1: [0, 2],
    Type.Q4_K: [0, 2],
    Type.Q5_K: [0, 2],
    Type.Q6_K: [208],
}


def encode(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def random_blocks(rng: np.random.Generator, kind: Type) -> np.ndarray:
    block, size = GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (ROWS * COLUMNS // block, size), dtype=np.uint8)
    for at in HALVES[kind]:
        # Magnitudes from the subnormal to 100: all that a model can hold.
        scales = rng.standard_normal(len(blocks)) * 10.0 ** rng.uniform(-7, 2, len(blocks))
        blocks[:, at : at + 2] = scales.astype(np.float16).reshape(-1, 1).view(np.uint8)
    return blocks.reshape(ROWS, -1)


def random_rows(rng: np.random.Generator) -> np.ndarray:
    rows = rng.standard_normal((ROWS, COLUMNS)) * 10.0 ** rng.uniform(-4, 1, (ROWS, 1))
    rows[0, :32] = 0
    # Numbers on a grid, so that quotients fall on halves.
    rows[1, :256] = rng.integers(-127, 128, 256) / 2
    rows[1, [0, 32, 64, 96]] = [127, -127, 63.5, -64]
    # A tie for the largest magnitude: the first decides the sign of Q4_0's scale.
    rows[2, [5, 9]] = [50, -50]
    rows[2, [40, 50]] = [-50, 50]
    # Scales that are subnormal in f16.
    rows[2, 64:128] *= 1e-7
    return rows.astype(np.float32)


def main() -> None:
    rng = np.random.default_rng(3)
    golden: dict[str, object] = {"rows": ROWS, "columns": COLUMNS}
    for kind in HALVES:
        blocks = random_blocks(rng, kind)
        golden[kind.name] = {"blocks": encode(blocks), "values": encode(dequantize(blocks, kind).astype("<f4"))}
    rows = random_rows(rng)
    golden["source"] = encode(rows.astype("<f4"))
    golden["quantised"] = {kind.name: encode(quantize(rows, kind)) for kind in (Type.Q8_0, Type.Q4_0)}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
