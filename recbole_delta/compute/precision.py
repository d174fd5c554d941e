"""Losses in full precision, whatever mixed precision gives the rest of a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce

import torch
from torch import Tensor


@contextmanager
def full_precision(*tensors: Tensor) -> Iterator[list[Tensor]]:
    """Within the block, autocast is off; gives the tensors in one type, float32 at least.

    A sum of exponentials overflows in float16 from logits of 11 on, and bfloat16 rounds a logit of
    50 by as much as 0.1.

    Args:
        tensors: float, on one device, of any shapes.

    Example:
        >>> import torch
        >>> half, whole = torch.tensor([40.0]).half(), torch.tensor([2.0])
        >>> with torch.autocast("cpu", torch.float16), full_precision(half, whole) as (a, b):
        ...     a.exp() * b
        tensor([4.7077e+17])
    """
    wide = reduce(torch.promote_types, (each.dtype for each in tensors), torch.float32)
    with torch.autocast(tensors[0].device.type, enabled=False):
        yield [each.to(wide) for each in tensors]
