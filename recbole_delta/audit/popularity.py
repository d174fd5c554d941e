"""NDCG@10 as it would be, had the log not shown popular items more often.

A target is in the test set because its item was seen, and popular items are seen more. Yang et al.
(RecSys 2018) take P_i ∝ N_i^((γ+1)/2) for the propensity of an item with N_i training rows, and
weigh each case by its inverse. The estimator here is the self-normalised one of Schnabel et al.
(ICML 2016),

    Σ_c w_c · NDCG@10(c) / Σ_c w_c,   w_c = N_{target(c)}^(-(γ+1)/2),

over all cases at once: over those of a user, as Yang et al. have it, the weights of a user with one
target cancel. γ = 1, so that an item counts by its cases over its training rows. A cold item has no
training row and no propensity: all cold items were shown equally little, so among cold cases the
weights are equal and the debiased value is the plain one. The two are never added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from recbole_delta.audit.finding import NOTE, Finding, some
from recbole_delta.bench.comparison.compare import Comparison

GAMMA = 1.0
"""Exponent γ of the propensities."""


def debiased(gains: np.ndarray, train_count: np.ndarray) -> float:
    """The self-normalised estimate over the warm cases.

    Args:
        gains: ``[n]`` a metric of every case.
        train_count: ``[n]`` training rows of each target; 0 for a cold one.

    Returns:
        NaN where there is no warm case.

    Example:
        The first target is three times as popular as the second, and counts a third:

        >>> debiased(np.array([1.0, 0.0]), np.array([3, 1]))
        0.25
    """
    warm = train_count > 0
    if not warm.any():
        return float("nan")
    return float(np.average(gains[warm], weights=_weights(train_count[warm])))


def popularity(
    comparison: Comparison, values: Mapping[str, tuple[float, float]]
) -> Iterator[Finding]:
    """Pairs of rows that change places on warm targets when popularity is taken out.

    Args:
        comparison: rows of a data set.
        values: plain and debiased NDCG@10 on warm targets, by row.
    """
    pairs = list(combinations(values.items(), 2))
    changed = [
        f"{a} and {b}"
        for (a, (plain_a, other_a)), (b, (plain_b, other_b)) in pairs
        if (plain_a - plain_b) * (other_a - other_b) < 0
    ]
    if changed:
        count = comparison.cases.train_count
        weights = _weights(count[count > 0])
        worth = weights.sum() ** 2 / (weights**2).sum()
        yield Finding(
            NOTE,
            "order depends on popularity",
            f"{len(changed)} of {len(pairs)} pairs of rows change places on warm targets once "
            f"each is weighed by its inverse popularity ({len(weights):,} cases, worth "
            f"{worth:,.0f} equal ones).",
            len(changed),
            some(changed),
        )


def _weights(train_count: np.ndarray) -> np.ndarray:
    return train_count.astype(np.float64) ** (-(GAMMA + 1) / 2)
