"""Copies from the host to a device that computes meanwhile, and devices by name."""

from __future__ import annotations

import torch
from torch import Tensor

from dataset_prep.errors import DeltaError


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


def named_device(name: str | torch.device) -> torch.device:
    """The device of a name, tried out.

    Args:
        name: as torch has it: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Raises:
        DeltaError: there is no such device here.

    Example:
        >>> named_device("cpu")
        device(type='cpu')
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device).zero_()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise DeltaError(
            f"device: there is no {str(name)!r} here ({reason}); use cpu, or one that is."
        ) from error
    return device
