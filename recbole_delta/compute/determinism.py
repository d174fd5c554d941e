"""Runs that repeat bit for bit on a GPU too, as far as torch can."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def repeatable(device: torch.device, wanted: bool) -> Iterator[None]:
    """Within the block, let torch add in a fixed order on a GPU.

    Some of its operations there add by atomics, in whatever order they come. Where one has no
    other way, torch warns of it by name. Nothing changes on a CPU, where runs repeat as it is.

    Args:
        device: device that is computed on.
        wanted: RecBole's ``reproducibility``.

    Example:
        >>> with repeatable(torch.device("cuda"), wanted=True):
        ...     torch.are_deterministic_algorithms_enabled()
        True
        >>> torch.are_deterministic_algorithms_enabled()  # as it was
        False
    """
    if device.type != "cuda" or not wanted:
        yield
        return
    # cuBLAS repeats with a workspace of a fixed size only; it is read at its first product.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic  # its attribute is made at run time
    filled = memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    # For programs that read what they have not written; it would write every new tensor once more.
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)
        memory.fill_uninitialized_memory = filled
