"""The losses of an epoch, added up where they are computed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

READ_EVERY = 100
"""Steps after which the host reads the losses on a GPU: it waits for the device to come so far."""


class LossSum:
    """The sum of scalars; a GPU is asked for them every :data:`READ_EVERY` steps and at the end.

    Args:
        check: is called with each loss, on the CPU, and raises if training cannot go on.

    Example:
        >>> import torch
        >>> losses = LossSum(check=lambda loss: None)
        >>> losses.add(torch.tensor(0.5)), losses.add(torch.tensor(0.25))
        (None, None)
        >>> losses.total()
        0.75
    """

    def __init__(self, check: Callable[[Tensor], None]) -> None:
        self._check, self._total = check, 0.0
        self._unread: list[Tensor] = []

    def add(self, loss: Tensor) -> None:
        """Take the loss ``[]`` of one more step."""
        self._unread.append(loss.detach())
        if loss.device.type == "cpu" or len(self._unread) == READ_EVERY:
            self._read()

    def total(self) -> float:
        """The sum so far, of the losses as they were rounded, in float64."""
        self._read()
        return self._total

    def _read(self) -> None:
        if self._unread:
            for loss in torch.stack(self._unread).cpu():
                self._total += loss.item()
                self._check(loss)
            self._unread.clear()
