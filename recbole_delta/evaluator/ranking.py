"""Where the target stands among the candidates, ties included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from dataset_prep.errors import DeltaError

MISS = np.iinfo(np.int64).max // 2
"""``above`` of a target that is not recommended at any k."""


@dataclass(frozen=True)
class TargetRanks:
    """Ranks of ``n`` targets among their candidates.

    Attributes:
        above: ``[n]`` int64, candidates scored strictly higher; :data:`MISS` where the target
            is no candidate.
        tied: ``[n]`` int64, other candidates with exactly the target's score. The target's
            rank is uniform over ``above + 1 .. above + tied + 1``.
    """

    above: np.ndarray
    tied: np.ndarray

    @classmethod
    def missed(cls, n: int) -> TargetRanks:
        """Ranks of ``n`` targets that are not recommended."""
        return cls(np.full(n, MISS, dtype=np.int64), np.zeros(n, dtype=np.int64))

    def put(self, index: np.ndarray, ranks: TargetRanks) -> None:
        """Overwrite some ranks.

        Args:
            index: ``[m]`` positions.
            ranks: ranks of ``m`` targets.
        """
        self.above[index], self.tied[index] = ranks.above, ranks.tied

    def share(self, device: torch.device) -> None:
        """Take over the ranks that other processes have found, each of its own targets.

        Args:
            device: device that the processes communicate by.
        """
        if not dist.is_initialized():
            return
        above = torch.from_numpy(self.above).to(device)
        tied = torch.from_numpy(self.tied).to(device)
        dist.all_reduce(above, dist.ReduceOp.MIN)
        dist.all_reduce(tied, dist.ReduceOp.MAX)
        self.above[:], self.tied[:] = above.cpu().numpy(), tied.cpu().numpy()


def rank_targets(
    scores: Tensor, target: Tensor, candidates: slice, scratch: Tensor | None = None
) -> TargetRanks:
    """Rank each row's target among ``candidates``.

    Args:
        scores: ``[B, n_items]``; −inf marks what is not recommended to that row.
        target: ``[B]`` item ids.
        candidates: range of the item ids that are ranked.
        scratch: float memory for at least as many numbers as ``scores``, overwritten.

    Returns:
        ranks of B targets.

    Raises:
        DeltaError: a score is NaN.

    Example:
        Items 1 to 3 after two histories; padding (0) is no candidate.

        >>> import torch
        >>> scores = torch.tensor([[9.0, 0.5, 0.7, 0.7], [9.0, 0.1, -torch.inf, 0.3]])
        >>> ranks = rank_targets(scores, torch.tensor([2, 2]), slice(1, 4))
        >>> ranks.tied.tolist()  # after the first one, item 3 ties with the target
        [1, 0]
        >>> (ranks.above == [0, MISS]).tolist()  # after the second one, it is not recommended
        [True, True]
    """
    pool = scores[:, candidates]
    target_score = scores.gather(1, target[:, None])
    # A sum of float32 is vectorised, one of bool is not; whole numbers below 2^24 are exact.
    if scratch is None:
        scratch = torch.empty_like(scores)
    holds = scratch.view(-1)[: pool.numel()].view(pool.shape)
    above = torch.gt(pool, target_score, out=holds).sum(1).long()
    tied = torch.eq(pool, target_score, out=holds).sum(1).long() - 1
    # Every comparison with NaN is false, so a NaN target would come out on top.
    if torch.isnan(pool.amax(1)).any():
        raise DeltaError("The model's scores hold NaN; it has diverged (lower learning_rate?).")
    recommended = (
        (target >= candidates.start)
        & (target < candidates.stop)
        & torch.isfinite(target_score[:, 0])
    )
    above = torch.where(recommended, above, MISS)
    tied = torch.where(recommended, tied, 0)
    return TargetRanks(above.cpu().numpy(), tied.cpu().numpy())
