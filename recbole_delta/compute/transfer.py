"""Copies from the host to a device that computes meanwhile."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device; the host does not wait until the device has come that far.

    Args:
        values: of any shape and type, on the CPU or on the device.
        device: where to.

    Example:
        >>> import torch
        >>> values = torch.arange(3)
        >>> to_device(values, torch.device("cpu")) is values
        True
    """
    if values.device.type != "cpu" or device.type in ("cpu", "mps"):
        return values.to(device)
    # What is not pinned could move while the device reads it.
    return values.pin_memory().to(device, non_blocking=True)
