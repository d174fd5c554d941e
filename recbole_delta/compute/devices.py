"""Which device a run is on; the environment stays as it is: a cluster shows what it has given."""

from __future__ import annotations

import os
from typing import Any

import torch
import torch.distributed as dist

from dataset_prep.errors import DeltaError


def usable_devices(gpu_id: Any, use_gpu: bool) -> list[torch.device]:
    """Devices of the processes of one machine, in their order.

    Args:
        gpu_id: numbers among the GPUs that are visible (``CUDA_VISIBLE_DEVICES``): one, several as
            a list or as text such as ``"0,2"``; None for all of them, an empty text for none.
        use_gpu: whether to use any.

    Returns:
        GPUs, or that of the CPU alone where none is to be used or can be seen.

    Raises:
        DeltaError: ``gpu_id`` holds something other than numbers of GPUs that are visible, where
            some are.

    Example:
        >>> usable_devices("0,1", use_gpu=False)
        [device(type='cpu')]
    """
    visible = range(torch.cuda.device_count() if use_gpu and torch.cuda.is_available() else 0)
    chosen = list(visible) if gpu_id is None else _numbers(gpu_id)
    if visible and (lacking := [n for n in chosen if n not in visible]):
        raise DeltaError(
            f"gpu_id: there is no GPU {lacking[0]} among those that are visible, 0 to "
            f"{len(visible) - 1}; it counts among what CUDA_VISIBLE_DEVICES leaves."
        )
    return [torch.device("cuda", n) for n in chosen if n in visible] or [torch.device("cpu")]


def own_device(gpu_id: Any, use_gpu: bool) -> torch.device:
    """The device of this process: of several on a machine, the n-th has the n-th GPU.

    Args:
        gpu_id: as for :func:`usable_devices`.
        use_gpu: whether to use any.

    Raises:
        DeltaError: there are fewer GPUs than processes.
    """
    if not dist.is_torchelastic_launched():
        return usable_devices(gpu_id, use_gpu)[0]
    n_processes, number = (int(os.environ[name]) for name in ("LOCAL_WORLD_SIZE", "LOCAL_RANK"))
    return devices_for(n_processes, gpu_id, use_gpu)[number]


def devices_for(n_processes: int, gpu_id: Any, use_gpu: bool) -> list[torch.device]:
    """A device for each process of this machine; all of them share the CPU.

    Args:
        n_processes: number of processes on this machine.
        gpu_id: as for :func:`usable_devices`.
        use_gpu: whether to use any.

    Raises:
        DeltaError: there are fewer GPUs than processes.
    """
    devices = usable_devices(gpu_id, use_gpu)
    if devices[0].type == "cpu":
        return devices * n_processes
    if len(devices) < n_processes:
        raise DeltaError(
            f"{n_processes} processes need a GPU each, but gpu_id and CUDA_VISIBLE_DEVICES leave "
            f"{len(devices)}; set nproc: {len(devices)}, or use_gpu: False for the CPU."
        )
    return devices[:n_processes]


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


def _numbers(gpu_id: Any) -> list[int]:
    given = gpu_id if isinstance(gpu_id, (list, tuple)) else str(gpu_id).split(",")
    try:
        return [int(each) for each in given if str(each).strip()]
    except (TypeError, ValueError) as error:
        raise DeltaError(
            f"gpu_id must be numbers, such as 0 or '0,1', but is {gpu_id!r}."
        ) from error
