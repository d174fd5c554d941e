"""Several processes that train one model, on one machine or many.

Every process shuffles alike and takes its share of each batch, so that together they do what one
process does with that batch. Started by torchrun, or by :mod:`recbole_delta.compute.launch` from
the setting ``nproc``.
"""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from dataset_prep.errors import DeltaError


def rank() -> int:
    """Number of this process, from 0; process 0 saves, logs and reports."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the other processes, if there are any: by NCCL on GPUs, by Gloo on CPUs.

    A block that raises leaves the group as it is: the others may wait in it, and all are ended.

    Args:
        device: device of this process.
    """
    on_gpu = device.type == "cuda"
    if on_gpu:  # what RecBole's models put on "cuda" goes there too
        torch.cuda.set_device(device)
    if not dist.is_torchelastic_launched() or dist.is_initialized():
        yield
        return
    dist.init_process_group("nccl" if on_gpu else "gloo")
    yield
    dist.destroy_process_group()


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


def shared_loss(model: Any, row_tables: Iterable[str] = ()) -> Callable[[Any], Tensor]:
    """A function from a batch to its training loss, a scalar that all processes compute together.

    Args:
        model: one of our backbones; with one process, any RecBole model.
        row_tables: names of parameters whose gradient is sparse, which NCCL cannot add up.
    """
    trained = {name: each for name, each in model.named_parameters() if each.requires_grad}
    if world_size() == 1 or not trained:
        return model.calculate_loss
    shared = SharedLoss(model)
    tables = [name for name in row_tables if name in trained]
    for name in tables:
        trained[name].register_post_accumulate_grad_hook(_share_rows)
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(
        shared, [f"model.{name}" for name in tables]
    )
    with warnings.catch_warnings():
        # torch 2.13 has another name for it, which older ones do not know.
        warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
        return DistributedDataParallel(shared, broadcast_buffers=False)


def _share_rows(table: Tensor) -> None:
    """Make the gradient of a table the mean of the processes', of the rows that any has seen."""
    assert table.grad is not None
    if not table.grad.is_sparse:
        dist.all_reduce(table.grad.div_(world_size()))
        return
    gradient = table.grad.coalesce()
    rows, values = gradient.indices()[0], gradient.values() / world_size()
    counts = torch.empty(world_size(), dtype=torch.int64, device=rows.device)
    dist.all_gather(list(counts.split(1)), counts.new_tensor([len(rows)]))
    sizes = counts.tolist()
    rows, values = (_joined(each, sizes) for each in (rows, values))
    table.grad = torch.sparse_coo_tensor(rows[None], values, table.shape, check_invariants=False)


def _joined(own: Tensor, sizes: list[int]) -> Tensor:
    """The rows that the processes have, ``sizes`` of them in each, those of process 0 first."""
    padded = own.new_zeros(max(sizes), *own.shape[1:])
    padded[: len(own)] = own
    every = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(every, padded)
    return torch.cat([each[:size] for each, size in zip(every, sizes, strict=True)])


def mean(value: float) -> float:
    """Mean of the processes' values."""
    return float(np.mean(gather(value)))


def gather(value: Any) -> list[Any]:
    """The processes' values, in each of them."""
    values = [value] * world_size()
    if dist.is_initialized():
        dist.all_gather_object(values, value)
    return values


def of_first_(value: Tensor) -> Tensor:
    """``value``, which becomes that of process 0."""
    if not dist.is_initialized():
        return value
    if value.device.type == "cpu" and dist.get_backend() == "nccl":  # which knows GPUs alone
        return value.copy_(of_first_(value.to("cuda")))
    dist.broadcast(value, 0)
    return value


def of_first(value: Any) -> Any:
    """The value of process 0."""
    return gather(value)[0]


def require_same(what: str, digest: str) -> None:
    """Refuse to go on where a process has read something else than process 0.

    Args:
        what: what was read, and from which file.
        digest: that of what this process has read.

    Raises:
        DeltaError: the same one in all processes; it names the first process that differs.
    """
    first, *others = gather((digest, platform.node()))
    for number, (other, node) in enumerate(others, 1):
        if other != first[0]:
            raise DeltaError(
                f"Process {number} on {node} and process 0 on {first[1]} have read different "
                f"{what}; give every node the same files."
            )


def copy_from_first(model: nn.Module) -> None:
    """Give every process the parameters and buffers of process 0."""
    for value in model.state_dict().values():
        of_first_(value)
