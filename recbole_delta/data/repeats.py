"""Targets that their user has taken before: hits in RecBole, misses here unless told otherwise."""

from __future__ import annotations

from logging import getLogger

from recbole_delta.data.instances import Instances

SAMPLE = 2_000
"""Test cases that are looked at."""

FEW = 0.01
"""Share of the targets that may be repeats without a word."""


def warn_of_repeats(name: str, test: Instances) -> None:
    """Say so where many a target can be no hit, as items of the history are not recommended again.

    Args:
        name: name of the data set.
        test: the test cases.
    """
    share = test.share_seen_before(SAMPLE)
    if share > FEW:
        getLogger().warning(
            f"{share:.0%} of {name}'s test targets stand in their own history, and items of the "
            "history are not recommended again, so these are misses for every model; "
            "mask_history: False recommends them, as RecBole does."
        )
