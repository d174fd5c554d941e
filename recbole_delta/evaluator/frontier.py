"""The trade-off between cold and warm metrics, exact, at every offset on the cold scores.

One constant added to the scores of all cold items trades cold against warm hits; it says nothing
about how well a model ranks. A model is a whole curve, and where it stands on it is a choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recbole_delta.evaluator.group_ranks import GroupRanks
from recbole_delta.evaluator.metrics import cumulated_gain, expected_gain
from recbole_delta.evaluator.ranking import TargetRanks

ROUNDING = 1e-12
"""Two means that differ by less are equal: they are sums of the same gains in another order."""


@dataclass(frozen=True)
class Frontier:
    """A metric on cold and on warm targets as a function of the offset.

    Both are step functions with steps at the same offsets: between two steps nothing changes, so
    the values there are exact. On a step, where scores tie, :meth:`at` has the exact value.

    Args:
        ranks: ranks of the cases among warm and among cold candidates.
        metric: name in :data:`~recbole_delta.evaluator.metrics.GAINS`, such as ``ndcg``.
        k: at most the K of ``ranks``.
        cold_share: weight of the cold targets in the total; by default their share of the cases.

    Example:
        >>> import torch
        >>> from recbole_delta.evaluator.group_ranks import rank_in_groups
        >>> scores = torch.tensor([[-torch.inf, 3.0, 2.0, 1.0, 0.0]] * 2)  # items 3, 4 are cold
        >>> ranks = rank_in_groups(scores, torch.tensor([3, 1]), n_warm=2, k=1)
        >>> curve = Frontier(ranks, "hit", 1)
        >>> curve.offsets.tolist(), curve.cold.tolist(), curve.warm.tolist()
        ([2.0], [0.0, 1.0], [1.0, 0.0])
        >>> curve.at(2.0), curve.total_at(2.0), curve.best_total
        ((0.5, 0.5), 0.5, 0.5)
    """

    ranks: GroupRanks
    metric: str
    k: int
    cold_share: float | None = None

    @property
    def share(self) -> float:
        """Weight of the cold targets in the total."""
        if self.cold_share is not None:
            return self.cold_share
        return float(self.ranks.is_cold.mean()) if len(self.ranks.is_cold) else 0.0

    @cached_property
    def offsets(self) -> np.ndarray:
        """``[m]`` float64, ascending: where a metric changes."""
        return self._steps[0]

    @cached_property
    def cold(self) -> np.ndarray:
        """``[m + 1]`` mean over the cold targets below, between and above :attr:`offsets`."""
        return self._steps[1]

    @cached_property
    def warm(self) -> np.ndarray:
        """``[m + 1]`` mean over the warm targets below, between and above :attr:`offsets`."""
        return self._steps[2]

    @cached_property
    def total(self) -> np.ndarray:
        """``[m + 1]`` mean of both, weighted by :attr:`share`."""
        return self.share * self.cold + (1 - self.share) * self.warm

    @property
    def within_cold(self) -> float:
        """The metric of cold targets ranked among cold candidates alone: the limit at +∞."""
        return self._within(self.ranks.is_cold)

    @property
    def within_warm(self) -> float:
        """The metric of warm targets ranked among warm candidates alone: the limit at −∞."""
        return self._within(~self.ranks.is_cold)

    @property
    def best_total(self) -> float:
        """The largest total along the offset."""
        return float(self.total.max())

    @property
    def best_offset(self) -> float:
        """An offset with the largest total: the middle of its step nearest to 0."""
        best = np.flatnonzero(self.total >= self.total.max() - ROUNDING)
        if not len(self.offsets):
            return 0.0
        edges = outer_edges(self.offsets)
        if ((edges[best] < 0) & (edges[best + 1] > 0)).any():
            return 0.0
        middle = (edges[best] + edges[best + 1]) / 2
        return float(middle[np.abs(middle).argmin()])

    @property
    def area(self) -> float:
        """Area under the curve of cold against warm: the offset does not move it.

        It is the integral of :meth:`cold_at_warm` over all levels, from 0 to the product of
        :attr:`within_cold` and :attr:`within_warm`.
        """
        return float((self.cold * (self.warm - np.r_[self.warm[1:], 0.0])).sum())

    def cold_at_warm(self, level: float) -> float:
        """The best cold value among the offsets that keep the warm value at ``level`` or above.

        Returns:
            0 where no offset keeps it there.
        """
        step = step_at_warm(self.warm, level)
        return 0.0 if step is None else float(self.cold[step])

    def at(self, offset: float) -> tuple[float, float]:
        """Cold and warm mean at one offset, ties included."""
        gain, cold = self.gains_at(offset), self.ranks.is_cold
        return tuple(float(gain[mask].mean()) if mask.any() else 0.0 for mask in (cold, ~cold))  # type: ignore[return-value]

    def total_at(self, offset: float) -> float:
        """Mean of both at one offset, weighted by :attr:`share`."""
        cold, warm = self.at(offset)
        return self.share * cold + (1 - self.share) * warm

    def gains_at(self, offset: float) -> np.ndarray:
        """``[n]`` the metric of every case at one offset."""
        return expected_gain(self.metric, ranks_at(self.ranks, offset), self.k)

    def _within(self, group: np.ndarray) -> float:
        gain = expected_gain(self.metric, self.ranks.within(), self.k)
        return float(gain[group].mean()) if group.any() else 0.0

    @cached_property
    def _steps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        is_cold, own = self.ranks.is_cold, self.ranks.within()
        n_cold, n_warm = max(1, int(is_cold.sum())), max(1, int((~is_cold).sum()))
        # A target behind k of its own group gains nothing at any offset: few cases are left.
        can_gain = own.above < self.k
        cold, gap = is_cold[can_gain], self.ranks.gap[can_gain]
        above, tied = own.above[can_gain], own.tied[can_gain]
        gain = cumulated_gain(self.metric, self.k)

        def gained(others: np.ndarray | int) -> np.ndarray:
            """Gain of every case with so many candidates of the other group above it."""
            first = np.minimum(above + others, self.k)
            last = np.minimum(above + tied + 1 + others, self.k)
            return (gain[last] - gain[first]) / (tied + 1)

        there = np.isfinite(gap)
        start = np.where(cold, gained(there.sum(1)), gained(0))
        offsets, delta_cold, delta_warm = [], [], []
        for j in range(gap.shape[1]):
            # The j-th best of the other group comes above a warm target, or below a cold one.
            change = np.where(cold, gained(j) - gained(j + 1), gained(j + 1) - gained(j))
            chosen = there[:, j] & (change != 0)
            at = gap[chosen, j].astype(np.float64)
            offsets.append(np.where(cold[chosen], at, -at))
            delta_cold.append(np.where(cold, change, 0.0)[chosen] / n_cold)
            delta_warm.append(np.where(cold, 0.0, change)[chosen] / n_warm)
        where, place = np.unique(np.concatenate(offsets), return_inverse=True)
        moved = [
            np.bincount(place, np.concatenate(d), len(where)) for d in (delta_cold, delta_warm)
        ]
        begin = (start[cold].sum() / n_cold, start[~cold].sum() / n_warm)
        steps = [np.cumsum(np.r_[first, each]) for first, each in zip(begin, moved)]
        return where, steps[0], steps[1]


def step_at_warm(warm: np.ndarray, level: float) -> int | None:
    """The last step with the warm value at ``level`` or above; None where there is none.

    Args:
        warm: ``[m + 1]`` values of the steps, which only fall.
        level: least warm value.
    """
    last = int((warm >= level - ROUNDING).sum()) - 1
    return last if last >= 0 else None


def outer_edges(offsets: np.ndarray) -> np.ndarray:
    """``[m + 2]`` edges of all steps: ``offsets``, and 2 beyond for the outermost, which have none.

    Args:
        offsets: ``[m]``, ascending, at least one.
    """
    return np.r_[offsets[0] - 2.0, offsets, offsets[-1] + 2.0]


def ranks_at(ranks: GroupRanks, offset: float) -> TargetRanks:
    """Ranks among all candidates with ``offset`` added to the scores of the cold ones.

    They are exact up to the K of ``ranks``; beyond it only that they are beyond.
    """
    own = ranks.within()
    # Added to a cold target's score, or to those of a warm target's cold candidates.
    bound = np.where(ranks.is_cold, np.float32(offset), -np.float32(offset))[:, None]
    above = (ranks.gap > bound).sum(1)
    tied = (ranks.gap == bound).sum(1)
    last = np.maximum(np.isfinite(ranks.gap).sum(1) - 1, 0)[:, None]
    at_last = (np.take_along_axis(ranks.gap, last, 1) == bound)[:, 0]
    return TargetRanks(own.above + above, own.tied + tied + ranks.further * at_last)
