"""Memory that is asked for before it is taken."""

from __future__ import annotations

import psutil

from dataset_prep.errors import DeltaError


def require_memory(needed: int, what: str) -> None:
    """Refuse what cannot fit, before the system ends the process for it.

    Args:
        needed: bytes that will be held at a time.
        what: what takes them, for the message.

    Raises:
        DeltaError: the machine has less memory free.

    Example:
        >>> require_memory(2**60, "A matrix of 379,625,062 items")
        Traceback (most recent call last):
            ...
        dataset_prep.errors.DeltaError: A matrix of 379,625,062 items takes 1,073,741,824.0 GiB ...
    """
    free = psutil.virtual_memory().available
    if needed > free:
        gib = 2**30
        raise DeltaError(
            f"{what} takes {needed / gib:,.1f} GiB of memory, and {free / gib:,.1f} GiB are free; "
            "take a model that is trained, a data set of fewer items, or a larger machine."
        )
