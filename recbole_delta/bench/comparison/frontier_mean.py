"""The frontier of a row: the mean over its seeds, all of them at the same offset.

The same offset for all, and not the same warm level: as it was run, a row then stands on its own
curve, and is its own match at its own warm level, however much its seeds differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recbole_delta.evaluator.frontier import Frontier, outer_edges, step_at_warm

LEVELS = 200
"""Warm levels at which a curve is drawn."""


@dataclass(frozen=True, eq=False)
class MeanFrontier:
    """Means over several seeds of cold and of warm values, as functions of one offset.

    Args:
        curves: a frontier for each of ``s`` seeds, at least one, of the same cases and metric.

    Example:
        >>> import torch
        >>> from recbole_delta.evaluator.group_ranks import rank_in_groups
        >>> seeds = []
        >>> for cold_score in (1.0, 2.0):
        ...     scores = torch.tensor([[-torch.inf, 3.0, 2.5, cold_score, 0.0]] * 2)
        ...     ranks = rank_in_groups(scores, torch.tensor([3, 1]), n_warm=2, k=1)
        ...     seeds.append(Frontier(ranks, "hit", 1))
        >>> mean = MeanFrontier(seeds)
        >>> mean.offsets.tolist(), mean.cold.tolist(), mean.warm.tolist()
        ([1.0, 2.0], [0.0, 0.5, 1.0], [1.0, 0.5, 0.0])
        >>> mean.offset_at_warm(0.5), mean.gains_at(1.5).tolist()
        (1.5, [[0.0, 1.0], [1.0, 0.0]])
    """

    curves: Sequence[Frontier]

    @cached_property
    def offsets(self) -> np.ndarray:
        """``[m]`` float64, ascending: where a metric of a seed changes."""
        return np.unique(np.concatenate([each.offsets for each in self.curves]))

    @cached_property
    def cold(self) -> np.ndarray:
        """``[m + 1]`` mean cold value below, between and above :attr:`offsets`."""
        return self._mean([each.cold for each in self.curves])

    @cached_property
    def warm(self) -> np.ndarray:
        """``[m + 1]`` mean warm value below, between and above :attr:`offsets`."""
        return self._mean([each.warm for each in self.curves])

    def offset_at_warm(self, level: float) -> float | None:
        """The largest offset that keeps the mean warm value at ``level`` or above.

        Returns:
            the middle of its step, where nothing ties; None where no offset keeps it there.
        """
        step = step_at_warm(self.warm, level)
        if step is None or not len(self.offsets):
            return None if step is None else 0.0
        return float(outer_edges(self.offsets)[step : step + 2].mean())

    def gains_at(self, offset: float) -> np.ndarray:
        """``[s, n]`` the metric of every case with each seed."""
        return np.stack([each.gains_at(offset) for each in self.curves])

    def drawn(self) -> tuple[np.ndarray, np.ndarray]:
        """The curve as points: :data:`LEVELS` evenly spaced warm levels, cold values at each."""
        levels = np.linspace(self.warm[-1], self.warm[0], LEVELS)
        steps = [step_at_warm(self.warm, level) for level in levels]
        return levels, self.cold[np.array(steps, dtype=int)]

    def _mean(self, values: Sequence[np.ndarray]) -> np.ndarray:
        at = [np.searchsorted(each.offsets, self.offsets, side="right") for each in self.curves]
        return np.mean([each[np.r_[0, i]] for each, i in zip(values, at)], axis=0)
