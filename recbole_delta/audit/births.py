"""Candidates that are not born yet when a case asks: their first row comes after its time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recbole_delta.audit.finding import WARNING, Finding, some
from recbole_delta.audit.prepared import PreparedRows


def births(rows: PreparedRows) -> Iterator[Finding]:
    """How many unborn items the test cases are ranked against, cold and warm apart.

    An item is born at its first row in the data set, whatever that row is for. How many targets
    lose a place to an unborn item depends on the model; this is their exposure.

    Args:
        rows: rows of a prepared data set.
    """
    born = np.full(len(rows.items), np.inf)
    np.minimum.at(born, rows.item, rows.time)
    time = rows.time[rows.of("test")]
    if not rows.has_clock or not len(time):
        return
    for group, members in (("cold", rows.train_count == 0), ("warm", rows.train_count > 0)):
        known = np.sort(born[members & np.isfinite(born)])  # an item without any row has no birth
        unborn = len(known) - np.searchsorted(known, time, side="right")
        if not unborn.any():
            continue
        share = unborn.mean() / len(known)
        yield Finding(
            WARNING,
            f"unborn {group} candidates",
            f"{share:.1%} of the places of {group} candidates go to items whose first row comes "
            f"after the case: {unborn.mean():,.1f} of {len(known):,} in the mean case, some in "
            f"{(unborn > 0).mean():.1%} of {len(time):,} test cases.",
            float(share),
            some(f"item {token}" for token in rows.items[members & (born == known[-1])]),
        )
