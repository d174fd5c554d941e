"""Where targets stand among warm and among cold candidates apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from dataset_prep.errors import DeltaError
from recbole_delta.evaluator.ranking import MISS, TargetRanks

Counts = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]
"""The fields of :class:`GroupRanks` in their order, and ``[n]`` bool whether a score is NaN."""

WARM, COLD = 0, 1
"""Columns of what is counted by group."""


@dataclass(frozen=True)
class GroupRanks:
    """Ranks of ``n`` targets by group of the candidates, enough for any offset on cold scores.

    Attributes:
        is_cold: ``[n]`` bool, whether the target is cold.
        above: ``[n, 2]`` int64, warm and cold candidates scored strictly higher than the target;
            :data:`~recbole_delta.evaluator.ranking.MISS` where it is not recommended.
        tied: ``[n, 2]`` int64, other candidates with exactly the target's score.
        gap: ``[n, K]`` float32, the K best scores of the *other* group minus the target's, in
            descending order; −∞ where there are fewer, or where K of its own group are above the
            target, so that it gains nothing at any offset.
        further: ``[n]`` int64, candidates of the other group beyond these that tie with the last
            of these.
    """

    is_cold: np.ndarray
    above: np.ndarray
    tied: np.ndarray
    gap: np.ndarray
    further: np.ndarray

    @classmethod
    def missed(cls, is_cold: np.ndarray, k: int) -> GroupRanks:
        """Ranks of targets that are not recommended, for metrics up to ``k``.

        Args:
            is_cold: ``[n]`` bool, whether the target is cold.
            k: the largest k of any metric.
        """
        n = len(is_cold)
        above = np.full((n, 2), MISS, dtype=np.int64)
        gap = np.full((n, k), -np.inf, dtype=np.float32)
        none = np.zeros(n, dtype=np.int64)
        return cls(is_cold, above, np.zeros((n, 2), dtype=np.int64), gap, none)

    @classmethod
    def counted(cls, blocks: Sequence[Counts]) -> GroupRanks:
        """The ranks of some blocks of :func:`count_ranks`, which are waited for once.

        Args:
            blocks: at least one.

        Raises:
            DeltaError: a score is NaN.
        """
        columns = (torch.cat(column).cpu().numpy() for column in zip(*blocks))
        *ranks, is_nan = columns
        if is_nan.any():
            raise DeltaError("The model's scores hold NaN; it has diverged (lower learning_rate?).")
        return cls(*ranks)

    def of(self, cases: np.ndarray) -> GroupRanks:
        """The ranks of some cases.

        Args:
            cases: ``[m]`` positions, in any order and as often as wanted.
        """
        held = (self.is_cold, self.above, self.tied, self.gap, self.further)
        return GroupRanks(*(each[cases] for each in held))

    def put(self, index: np.ndarray, found: GroupRanks) -> None:
        """Write ``found`` at ``index``."""
        self.above[index], self.tied[index] = found.above, found.tied
        self.gap[index], self.further[index] = found.gap, found.further

    def share(self, device: torch.device) -> None:
        """Take over what other processes have found, each its own targets."""
        if not dist.is_initialized():
            return
        found = {"MIN": [self.above], "MAX": [self.tied, self.gap, self.further]}
        for values, reduction in ((v, r) for r, each in found.items() for v in each):
            shared = torch.from_numpy(values).to(device)
            dist.all_reduce(shared, getattr(dist.ReduceOp, reduction))
            values[:] = shared.cpu().numpy()

    def among(self, candidates: str) -> TargetRanks:
        """Ranks among ``all`` candidates, or the ``warm`` ones, where a cold target is a miss."""
        if candidates == "warm":
            above = np.where(self.is_cold, MISS, self.above[:, WARM])
            return TargetRanks(above, np.where(self.is_cold, 0, self.tied[:, WARM]))
        return TargetRanks(np.minimum(self.above.sum(1), MISS), self.tied.sum(1))

    def within(self) -> TargetRanks:
        """Ranks among the candidates of the target's own group."""
        group = self.is_cold.astype(int)[:, None]
        above, tied = (np.take_along_axis(each, group, 1)[:, 0] for each in (self.above, self.tied))
        return TargetRanks(above, tied)


def rank_in_groups(
    scores: Tensor, target: Tensor, n_warm: int, k: int, scratch: Tensor | None = None
) -> GroupRanks:
    """Rank each row's target among warm and among cold candidates.

    Args:
        scores: ``[B, 1 + n_items]``, padding first, then warm and cold items; −inf marks what is
            not recommended to that row.
        target: ``[B]`` item ids.
        n_warm: ids 1 .. ``n_warm`` are warm.
        k: the largest k of any metric.
        scratch: memory for at least as many numbers as ``scores``, overwritten.

    Raises:
        DeltaError: a score is NaN.

    Example:
        >>> scores = torch.tensor([[-torch.inf, 3.0, 2.0, 1.0, 2.5]])  # two warm, two cold
        >>> found = rank_in_groups(scores, torch.tensor([3]), n_warm=2, k=2)
        >>> found.above.tolist(), found.gap.tolist()
        ([[2, 1]], [[2.0, 1.0]])
        >>> found.within().above.tolist(), found.among("all").above.tolist()
        ([1], [3])
    """
    return GroupRanks.counted([count_ranks(scores, target, n_warm, k, scratch)])


def count_ranks(
    scores: Tensor, target: Tensor, n_warm: int, k: int, scratch: Tensor | None = None
) -> Counts:
    """:func:`rank_in_groups` on the device of the scores, for :meth:`GroupRanks.counted`."""
    target_score = scores.gather(1, target[:, None])
    if scratch is None:
        scratch = torch.empty_like(scores)
    pools = scores[:, 1 : n_warm + 1], scores[:, n_warm + 1 :]
    is_cold = target > n_warm
    above, tied = (
        torch.empty(len(target), 2, dtype=torch.int64, device=scores.device) for _ in "ab"
    )
    is_nan = torch.zeros_like(is_cold)
    for column, pool in enumerate(pools):
        # A sum of float32 is vectorised, one of bool is not; whole numbers below 2^24 are exact.
        holds = scratch.view(-1)[: pool.numel()].view(pool.shape)
        above[:, column] = torch.gt(pool, target_score, out=holds).sum(1).long()
        tied[:, column] = torch.eq(pool, target_score, out=holds).sum(1).long()
        # Every comparison with NaN is false, so a NaN target would come out on top.
        if pool.size(1):
            is_nan |= pool.amax(1).isnan()
    own = is_cold.long()[:, None]
    tied.scatter_add_(1, own, torch.full_like(own, -1))  # the target itself
    recommended = torch.isfinite(target_score)
    above, tied = above.where(recommended, MISS), tied.where(recommended, 0)
    gap = scores.new_full((len(target), k), -torch.inf)
    further = torch.zeros_like(target)
    for other, of_cold in zip(pools, (True, False)):
        if other.size(1):
            wanted = (is_cold == of_cold) & (above.gather(1, own)[:, 0] < k)
            _put_best(other, target_score, wanted, gap, further)
    return is_cold, above, tied, gap, further, is_nan


def _put_best(
    other: Tensor, target_score: Tensor, wanted: Tensor, gap: Tensor, further: Tensor
) -> None:
    """Write ``gap`` and ``further`` of the ``wanted`` rows, whose other group scores ``other``."""
    # A GPU does all rows rather than let the host wait for their number.
    rows = torch.nonzero(wanted).flatten() if wanted.device.type == "cpu" else slice(None)
    scored = other[rows]
    if not len(scored):
        return
    best = scored.topk(min(gap.size(1), other.size(1)), dim=1).values
    last = best[:, -1:]
    beyond = (scored == last).sum(1) - (best == last).sum(1)
    chosen = wanted[rows]
    there = gap[rows, : best.size(1)]
    gap[rows, : best.size(1)] = (best - target_score[rows]).where(chosen[:, None], there)
    further[rows] = beyond.where(torch.isfinite(last[:, 0]), 0).where(chosen, further[rows])
