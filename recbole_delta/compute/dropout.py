"""Dropout whose random numbers do not dominate the step on a CPU."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 2**8
"""Thresholds of an 8-bit random number."""

AHEAD = 2**20
"""Elements drawn at once, a byte each."""


class Dropout(nn.Dropout):
    """``nn.Dropout``, eight 8-bit random numbers from one 64-bit draw on a CPU.

    torch draws a double for every element there, one after another: most of the time of a small
    encoder. On other devices this is ``nn.Dropout`` itself.

    Args:
        masks: where to cut masks from, shared by modules of one ``p``; its own by default.
    """

    def __init__(self, p: float, masks: Masks | None = None) -> None:
        super().__init__(p)
        self.masks = masks or Masks()

    def forward(self, input: Tensor) -> Tensor:
        """Zero elements with probability ``p`` and scale the others; as it is in evaluation."""
        factor = self.factor(input)
        return super().forward(input) if factor is None else input * factor

    def train(self, mode: bool = True) -> Dropout:
        """As of every module; what follows depends on no random number that was drawn before."""
        self.masks.discard()
        return super().train(mode)

    def factor(self, values: Tensor) -> Tensor | None:
        """By which to multiply, 0 or 1 / (1 − p); None where it is for torch to drop."""
        if not self.training or values.device.type != "cpu" or self.p in (0, 1):
            return None
        mask = self.masks.cut(values.numel(), self.p).view(values.shape)
        return mask.to(values.dtype).mul_(1 / (1 - self.p))


class Masks:
    """Masks of 0 and 1, cut from a large one: a small draw takes longer to begin than to make."""

    def __init__(self) -> None:
        self.discard()

    def discard(self) -> None:
        """Start with a new draw."""
        self._drawn, self._used, self._p = torch.empty(0, dtype=torch.int8), 0, 0.0

    def cut(self, n: int, p: float) -> Tensor:
        """``[n]`` int8 that no other call gets, 0 with probability ``p``."""
        if p != self._p or self._used + n > len(self._drawn):
            self._drawn, self._used, self._p = _draw(max(n, AHEAD), p), 0, p
        self._used += n
        return self._drawn[self._used - n : self._used]


def _draw(n: int, p: float) -> Tensor:
    # One number of torch's generator; the others follow from it, by SFC64 five times as fast.
    seed = int(torch.randint(2**62, ()))
    # One of the two thresholds next to p, such that an element is 0 with probability p.
    dropped = int(p * LEVELS + seed / 2**62)
    kept = np.random.SFC64(seed).random_raw(-(-n // 8)).view(np.uint8)[:n] >= dropped
    # torch converts bool one by one, int8 several at a time.
    return torch.from_numpy(kept.view(np.int8))


def drop_(dropout: nn.Dropout, values: Tensor) -> Tensor:
    """Dropout in the memory of ``values``, which nothing else reads, backward passes included."""
    factor = dropout.factor(values) if isinstance(dropout, Dropout) else None
    if factor is None:
        return F.dropout(values, dropout.p, dropout.training, inplace=True)
    return values.mul_(factor)


def use_fast_dropout(model: nn.Module) -> None:
    """Replace every ``nn.Dropout`` in ``model``; there are no parameters to carry over."""
    masks: defaultdict[float, Masks] = defaultdict(Masks)
    for module in model.modules():
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p, masks[child.p]))
