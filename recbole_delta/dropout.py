"""Dropout whose random numbers do not dominate the step on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 2**16
"""Thresholds of a 16-bit random number: the probability is met to within 1/131,072."""


class Dropout(nn.Dropout):
    """``nn.Dropout``, four 16-bit random numbers from one 64-bit draw on a CPU.

    torch draws a double for every element there, one after another: most of the time of a small
    encoder. On other devices this is ``nn.Dropout`` itself.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Zero elements with probability ``p`` and scale the others; as it is in evaluation."""
        if not self.training or input.device.type != "cpu":
            return super().forward(input)
        dropped = round(self.p * LEVELS)
        if dropped in (0, LEVELS):
            return F.dropout(input, float(dropped > 0))
        draws = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        bits = draws.view(torch.int16)[: input.numel()].view(input.shape)
        kept = (bits >= dropped - LEVELS // 2).to(input.dtype).mul_(LEVELS / (LEVELS - dropped))
        return input * kept


def use_fast_dropout(model: nn.Module) -> None:
    """Replace every ``nn.Dropout`` in ``model``; there are no parameters to carry over."""
    for module in model.modules():
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p))
