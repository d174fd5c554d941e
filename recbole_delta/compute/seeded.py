"""Random numbers of their own for a part of the code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within the block torch draws on the CPU from ``seed``; afterwards it goes on as before.

    No GPU's generator is touched, as ``torch.manual_seed`` would.

    Args:
        seed: seed of the block.

    Example:
        >>> import torch
        >>> with seeded(1):
        ...     first = torch.rand(2)
        >>> with seeded(1):
        ...     bool(torch.rand(2).equal(first))
        True
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
