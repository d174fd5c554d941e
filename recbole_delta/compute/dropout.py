"""Dropout whose random numbers do not dominate the step on a CPU."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 2**8
"""Number of values that an 8-bit random number has."""

AHEAD = 2**20
"""Elements drawn ahead at once, a byte each."""


class Dropout(nn.Dropout):
    """``nn.Dropout``, eight 8-bit random numbers from one 64-bit draw on a CPU.

    torch draws a double for every element there, one after another: most of the time of a small
    encoder. On other devices this is ``nn.Dropout`` itself.

    Args:
        p: probability that an element becomes zero.
        masks: where to cut masks from, shared by modules of one ``p``; its own by default.

    Example:
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> dropped = Dropout(p=0.2)(torch.ones(10_000))
        >>> sorted(set(dropped.tolist()))  # 0 or 1 / (1 − p)
        [0.0, 1.25]
        >>> 0.18 < (dropped == 0).float().mean().item() < 0.22
        True
    """

    def __init__(self, p: float, masks: Masks | None = None) -> None:
        super().__init__(p)
        self.masks = masks or Masks()

    def forward(self, input: Tensor) -> Tensor:
        """In training, zero elements with probability ``p`` and scale the others by 1 / (1 − p).

        Args:
            input: float, of any shape.

        Returns:
            a tensor of that shape; in evaluation, ``input`` itself.
        """
        factor = self.factor(input)
        return super().forward(input) if factor is None else input * factor

    def train(self, mode: bool = True) -> Dropout:
        """Set the mode; numbers drawn ahead are discarded, so that what follows repeats."""
        self.masks.discard()
        return super().train(mode)

    def factor(self, values: Tensor) -> Tensor | None:
        """0 or 1 / (1 − p) in the shape of ``values``, to multiply by; None where torch drops."""
        if not self.training or values.device.type != "cpu" or self.p in (0, 1):
            return None
        mask = self.masks.cut(values.numel(), self.p).view(values.shape)
        return mask.to(values.dtype).mul_(1 / (1 - self.p))


class Masks:
    """Masks of 0 and 1, cut from a large one, because each draw has a fixed cost."""

    def __init__(self) -> None:
        self.discard()

    def discard(self) -> None:
        """Start with a new draw."""
        self._drawn, self._used, self._p = torch.empty(0, dtype=torch.int8), 0, 0.0

    def cut(self, n: int, p: float) -> Tensor:
        """``[n]`` int8 that no other call gets, 0 with probability ``p`` and 1 else."""
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
    """Dropout in place, for a tensor that nothing else reads, backward passes included.

    Args:
        dropout: module that says with what probability, and whether to drop.
        values: float, of any shape; overwritten.

    Returns:
        ``values``.
    """
    factor = dropout.factor(values) if isinstance(dropout, Dropout) else None
    if factor is None:
        return F.dropout(values, dropout.p, dropout.training, inplace=True)
    return values.mul_(factor)


def use_fast_dropout(model: nn.Module) -> None:
    """Replace every ``nn.Dropout`` of a model, in place, by :class:`Dropout` of the same ``p``."""
    masks: defaultdict[float, Masks] = defaultdict(Masks)
    for module in model.modules():
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p, masks[child.p]))
