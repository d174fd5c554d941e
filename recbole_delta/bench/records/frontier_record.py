"""The part of a record that the frontier follows from: ranks by group of the cases that can gain.

A target behind K candidates of its own group gains nothing at any offset, so nine in ten cases take
no place. Of the others the record has the rank in the own group and the distances to the best of
the other group, as far down as the target could still be recommended.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dataset_prep.errors import DeltaError
from recbole_delta.evaluator.group_ranks import COLD, WARM, GroupRanks

PREFIX = "frontier_"
"""Beginning of the names of the arrays."""
CASE, ABOVE, TIED, GAP, FURTHER = (
    PREFIX + name for name in ("case", "above", "tied", "gap", "further")
)
"""Arrays of the ``m`` cases that can gain: ``[m]`` int32 positions of the cases, ascending; ``[m]``
int32 candidates of the own group above the target and tied with it; ``[m, K]`` float32 gaps and
``[m]`` int32 further ties, as in :class:`~recbole_delta.evaluator.group_ranks.GroupRanks`."""


def packed(ranks: GroupRanks) -> dict[str, np.ndarray]:
    """The arrays of a record.

    Args:
        ranks: ranks of all test cases in the configured mode.

    Returns:
        arrays by :data:`CASE`, :data:`ABOVE`, :data:`TIED`, :data:`GAP` and :data:`FURTHER`.

    Example:
        >>> import torch
        >>> from recbole_delta.evaluator.group_ranks import rank_in_groups
        >>> scores = torch.tensor([[-torch.inf, 3.0, 2.0, 1.0, 2.5]] * 2)  # items 3, 4 are cold
        >>> arrays = packed(rank_in_groups(scores, torch.tensor([2, 4]), n_warm=2, k=1))
        >>> arrays[CASE].tolist(), arrays[GAP].tolist()  # the first target is behind item 1
        ([1], [[0.5]])
    """
    own, k = ranks.within(), ranks.gap.shape[1]
    case = np.flatnonzero(own.above < k)
    above, gap = own.above[case], ranks.gap[case]
    # Behind `above` of its own group, a target falls out with the (K - above)-th of the other.
    last = (k - above - 1)[:, None]
    decisive = np.take_along_axis(gap, last, 1)
    beyond = np.arange(k) > last
    further = np.where(gap[:, -1:] == decisive, ranks.further[case][:, None], 0)
    further += (beyond & (gap == decisive)).sum(1, keepdims=True)
    further = np.where(np.isfinite(decisive), further, 0)[:, 0]
    return {
        CASE: case.astype(np.int32),
        ABOVE: above.astype(np.int32),
        TIED: own.tied[case].astype(np.int32),
        GAP: np.where(beyond, -np.inf, gap).astype(np.float32),
        FURTHER: further.astype(np.int32),
    }


def unpacked(arrays: Mapping[str, np.ndarray], is_cold: np.ndarray) -> GroupRanks:
    """The ranks behind :func:`packed`, whose frontier is that of the whole ranks, at every offset.

    Cases that cannot gain are misses. How many of the *other* group are above a target is told by
    its gaps alone, so :meth:`~recbole_delta.evaluator.group_ranks.GroupRanks.among` is of no use.

    Args:
        arrays: arrays of a record that :func:`check_packed` has found good.
        is_cold: ``[n]`` bool, whether the target is cold.
    """
    case, cold = arrays[CASE], is_cold[arrays[CASE]]
    ranks = GroupRanks.missed(is_cold, arrays[GAP].shape[1])
    own = np.where(cold, COLD, WARM)
    ranks.above[case], ranks.tied[case] = 0, 0
    ranks.above[case, own], ranks.tied[case, own] = arrays[ABOVE], arrays[TIED]
    ranks.gap[case], ranks.further[case] = arrays[GAP], arrays[FURTHER]
    return ranks


def check_packed(path: Path, arrays: Mapping[str, np.ndarray], n: int) -> None:
    """Check the arrays of a record.

    Args:
        path: path of their file.
        arrays: all arrays of the file.
        n: number of test cases.

    Raises:
        DeltaError: one is missing, of another shape or type, or holds what no ranks are.
    """
    m = arrays[CASE].size if CASE in arrays else 0
    k = arrays[GAP].shape[-1] if GAP in arrays and arrays[GAP].ndim else 0
    below = {CASE: n, ABOVE: k}
    for name in (CASE, ABOVE, TIED, GAP, FURTHER):
        found, shape = arrays.get(name), (m, k) if name == GAP else (m,)
        if found is None or found.shape != shape:
            good = False
        elif name == GAP:
            # Descending, −∞ last; a NaN fails every comparison.
            good = k > 0 and found.dtype.kind == "f" and bool((found < np.inf).all())
            good = good and bool((found[:, :-1] >= found[:, 1:]).all())
        else:
            inside = (found >= 0) & (found < below.get(name, np.inf))
            ascends = name != CASE or bool((np.diff(found) > 0).all())
            good = found.dtype.kind == "i" and bool(inside.all()) and ascends
        if not good:
            raise DeltaError(f"{path} does not hold the {name} of its run; remove it.")
