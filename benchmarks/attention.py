"""Causal attention here: torch's fused kernel, its plain one, and ours of two products.

    python benchmarks/attention.py

Forward and backward without dropout, which the fused kernel does not have on CPUs; the sizes are
those of groups of similar lengths in a batch. Milliseconds, medians of rounds taken in turn.
"""

from __future__ import annotations

import pandas as pd
import torch
from measure import in_turn, machine, seconds
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from recbole_delta.model.packed import _attention
from recbole_delta.precision import quick_float32

SIZES = ((104, 1, 8, 128), (16, 1, 64, 128), (32, 2, 50, 32), (256, 2, 50, 32))
"""Sequences, heads, length and dimension of a head."""


def main() -> None:
    """Print the table."""
    rows = {}
    for size in SIZES:
        sequences, heads, length, dim = size
        made = torch.randn(sequences, length, 3, heads, dim, requires_grad=True)
        query, key, value = made.permute(2, 0, 3, 1, 4)
        parts = (query, key, value)

        def fused(backend: SDPBackend, parts: tuple = parts) -> float:
            with sdpa_kernel(backend):
                output = F.scaled_dot_product_attention
                return seconds(lambda: output(*parts, is_causal=True).sum().backward()) * 1e3

        def ours(parts: tuple = parts) -> float:
            return seconds(lambda: _attention(*parts, nn.Dropout(0.0)).sum().backward()) * 1e3

        versions = {
            "ours": ours,
            "fused": lambda fused=fused: fused(SDPBackend.FLASH_ATTENTION),
            "plain": lambda fused=fused: fused(SDPBackend.MATH),
        }
        with quick_float32(torch.device("cpu")):
            rows[" × ".join(map(str, size))] = in_turn(versions, 9)
    print(machine(), pd.DataFrame(rows).T.to_markdown(floatfmt=".2f"), sep="\n\n")


if __name__ == "__main__":
    main()
