"""Causal attention here: torch's fused kernel, its plain one, and ours of two products.

    python benchmarks/attention.py

Forward and backward without dropout, which the fused kernel does not have on CPUs; the sizes are
those of packed batches. Milliseconds, medians of rounds taken in turn.
"""

from __future__ import annotations

import pandas as pd
import torch
from measure import in_turn, machine, seconds
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from recbole_delta.compute.matmul import quick_float32
from recbole_delta.model.transformer.packed import added_mask, attention

SIZES = ((13, 1, 64, 128), (128, 1, 64, 128), (32, 2, 50, 32), (256, 2, 50, 32))
"""Rows, heads, width and dimension of a head."""


class Nothing(nn.Identity):
    """Passes for dropout, so that ours does not hand over to torch's fused kernel."""

    p = 0.5


def main() -> None:
    """Print the table."""
    rows = {}
    for size in SIZES:
        n, heads, width, dim = size
        shape = (n * width, heads * dim)
        query, key, value = (torch.randn(shape, requires_grad=True) for _ in range(3))
        parts = [x.view(n, width, heads, dim).transpose(1, 2) for x in (query, key, value)]
        mask = added_mask(torch.ones(n, width, width, dtype=torch.bool).triu(1))

        def torchs(backend: SDPBackend, parts: list = parts, mask: torch.Tensor = mask) -> float:
            output = F.scaled_dot_product_attention
            with sdpa_kernel(backend):
                return seconds(lambda: output(*parts, mask[:, None]).sum().backward()) * 1e3

        def ours(given: tuple = (query, key, value, mask, heads)) -> float:
            return seconds(lambda: attention(*given, Nothing()).sum().backward()) * 1e3

        versions = {
            "ours": ours,
            "fused": lambda torchs=torchs: torchs(SDPBackend.FLASH_ATTENTION),
            "plain": lambda torchs=torchs: torchs(SDPBackend.MATH),
        }
        with quick_float32(torch.device("cpu")):
            rows[" × ".join(map(str, size))] = in_turn(versions, 9)
    print(machine(), pd.DataFrame(rows).T.to_markdown(floatfmt=".2f"), sep="\n\n")


if __name__ == "__main__":
    main()
