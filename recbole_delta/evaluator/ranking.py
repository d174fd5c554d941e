"""Where the target stands among the candidates, ties included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
