"""Several processes that train one model, on one machine or many.

Every process shuffles alike and takes its share of each batch, so that together they do what one
process does with that batch. Started by torchrun, or by :func:`launch` from the setting ``nproc``.
"""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher import LaunchConfig, elastic_launch
from torch.nn.parallel import DistributedDataParallel

from dataset_prep.errors import DeltaError
from recbole_delta.compute.modules import import_modules, imported_modules


def rank() -> int:
    """Number of this process, from 0; process 0 saves, logs and reports."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_launched() -> bool:
    """Whether torchrun or :func:`launch` has started this process."""
    return dist.is_torchelastic_launched()


@contextmanager
def process_group(config: Any) -> Iterator[None]:
    """Join the other processes, if there are any: by NCCL on GPUs, by Gloo on CPUs.

    Args:
        config: a RecBole ``Config``; its device becomes the one of this process.
    """
    if not is_launched() or dist.is_initialized():
        yield
        return
    if config["device"].type == "cuda":
        config["device"] = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(config["device"])
    dist.init_process_group("nccl" if config["device"].type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def launch(function: Callable[..., Any], nproc: int, *arguments: Any) -> Any:
    """Call ``function(*arguments)`` in several processes of this machine.

    Args:
        function: function that can be pickled; every process calls it.
        nproc: number of processes.
        arguments: arguments of the function.

    Returns:
        what the function has returned in process 0.

    Raises:
        DeltaError: the function has raised one, or a process has died.
    """
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=nproc,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    threads = max(1, torch.get_num_threads() // nproc)
    try:
        result = elastic_launch(config, _in_child)(
            function, threads, imported_modules(), *arguments
        )[0]
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        reason = str(failure.message).splitlines()[0]
        raise DeltaError(f"Process {failure.local_rank} of {nproc} died ({reason}).") from error
    if isinstance(result, DeltaError):
        raise result
    return result


def _in_child(
    function: Callable[..., Any], threads: int, modules: list[str], *arguments: Any
) -> Any:
    torch.set_num_threads(threads)
    try:
        import_modules(modules)
        return function(*arguments)
    except DeltaError as error:  # all processes meet the same one
        return error


class SharedLoss(nn.Module):
    """The loss of this process's share of a batch; gradients are those of the whole batch.

    Args:
        model: one of our backbones; the processes' parameters are the same.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, interaction: Any) -> Tensor:
        """The share's loss, a scalar weighted so that the processes' mean is that of the batch.

        Args:
            interaction: the whole batch.
        """
        rows = torch.arange(rank(), len(interaction), world_size())
        # The last batch may have fewer rows than there are processes.
        share = interaction[rows] if len(rows) else interaction[:1]
        targets = self.model.n_targets(share) if len(rows) else 0
        weight = targets * world_size() / self.model.n_targets(interaction)
        return self.model.calculate_loss(share) * weight


def shared_loss(model: Any) -> Callable[[Any], Tensor]:
    """A function from a batch to its training loss, a scalar that all processes compute together.

    Args:
        model: one of our backbones; with one process, any RecBole model.
    """
    if world_size() == 1:
        return model.calculate_loss
    with warnings.catch_warnings():
        # torch 2.13 has another name for it, which older ones do not know.
        warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
        return DistributedDataParallel(SharedLoss(model), broadcast_buffers=False)


def mean(value: float) -> float:
    """Mean of the processes' values."""
    return float(np.mean(gather(value)))


def gather(value: Any) -> list[Any]:
    """The processes' values, in each of them."""
    values = [value] * world_size()
    if dist.is_initialized():
        dist.all_gather_object(values, value)
    return values


def copy_from_first(model: nn.Module) -> None:
    """Give every process the parameters and buffers of process 0."""
    if dist.is_initialized():
        for value in model.state_dict().values():
            dist.broadcast(value, 0)
