"""Dropout whose random numbers do not dominate the step on a CPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

LEVELS = 2**8
"""Thresholds of an 8-bit random number."""


class Dropout(nn.Dropout):
    """``nn.Dropout``, eight 8-bit random numbers from one 64-bit draw on a CPU.

    torch draws a double for every element there, one after another: most of the time of a small
    encoder. A call's threshold is one of the two next to ``p``, drawn so that an element is
    dropped with probability ``p``. On other devices this is ``nn.Dropout`` itself.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Zero elements with probability ``p`` and scale the others; as it is in evaluation."""
        if not self.training or input.device.type != "cpu" or self.p in (0, 1):
            return super().forward(input)
        dropped = int(self.p * LEVELS + torch.rand((), dtype=torch.float64)) - LEVELS // 2
        # 0 or 1 by arithmetic: comparisons, whose results are bool, are not vectorised.
        bits = _bits(input).clamp_(max(dropped - 1, -LEVELS // 2), min(dropped, LEVELS // 2 - 1))
        return input * bits.to(input.dtype).sub_(dropped - 1).mul_(1 / (1 - self.p))


def _bits(like: Tensor) -> Tensor:
    """Uniform int8 numbers in the shape of a tensor.

    They follow from torch's generator by one number, and come from SFC64, five times as fast.
    """
    seed = int(torch.randint(2**62, ()))
    draws = np.random.SFC64(seed).random_raw(-(-like.numel() // 8))
    return torch.from_numpy(draws.view(np.int8)[: like.numel()]).view(like.shape)


def use_fast_dropout(model: nn.Module) -> None:
    """Replace every ``nn.Dropout`` in ``model``; there are no parameters to carry over."""
    for module in model.modules():
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p))
