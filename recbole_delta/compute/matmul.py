"""Matrix products of float32 by the quicker of torch's two libraries, where it costs no digits."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

ROWS = 64
"""Rows come in multiples of it: oneDNN compiles a product for every new number of them."""


@contextmanager
def quick_float32(device: torch.device) -> Iterator[None]:
    """Within the block, let oneDNN multiply on a CPU where it keeps float32.

    torch multiplies with MKL, the quicker one on Intel's processors, which leaves AVX-512 idle on
    others: half the speed. torch's matmul precision "medium" hands products to oneDNN, which may
    round the factors to bfloat16 if the processor has a unit for that; whether it does is tried out
    once.

    Args:
        device: device that the products are computed on; only a CPU is changed.

    Example:
        >>> import torch
        >>> with quick_float32(torch.device("cpu")):
        ...     product = torch.full((4, 4), 0.1) @ torch.full((4, 4), 0.1)
        >>> round(product[0, 0].item(), 6)  # bfloat16 would give 0.040039
        0.04
        >>> torch.get_float32_matmul_precision()  # as it was
        'highest'
    """
    before = torch.get_float32_matmul_precision()
    if device.type != "cpu" or before != "highest" or mkl_is_quick() or not _medium_keeps_float32():
        yield
        return
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@cache
def mkl_is_quick() -> bool:
    """Whether MKL, which torch multiplies with, uses all of this CPU, as it does on Intel's."""
    cpuinfo = Path("/proc/cpuinfo")  # on Linux, where platform.processor() says nothing
    said = cpuinfo.read_text() if cpuinfo.exists() else platform.processor()
    return "GenuineIntel" in said


@cache
def _medium_keeps_float32() -> bool:
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(512, 512, generator=generator)
    exact = factor.double() @ factor.double()
    torch.set_float32_matmul_precision("medium")
    try:
        error = (factor @ factor - exact).abs().max()
    finally:
        torch.set_float32_matmul_precision("highest")
    # bfloat16 has 8 bits: its error is near 1 here, that of float32 near 1e-5.
    return bool(error < 1e-3)
