"""Protocols: what each interaction is for.

A protocol takes a :class:`~dataset_prep.log.Log` in order of time and returns the rows it keeps,
in that order, with a split for each: ``train``, ``valid`` and ``test`` (the row is a target) or
``history`` (the row only precedes a target). The history of a target is every earlier row of
its user, whatever that row is for. An item without a ``train`` row is cold.
"""

from collections.abc import Callable

from dataset_prep.protocols.common import Split
from dataset_prep.protocols.item_holdout import item_holdout
from dataset_prep.protocols.leave_one_out import leave_one_out
from dataset_prep.protocols.official_test import official_test
from dataset_prep.protocols.paper import paper

PROTOCOLS: dict[str, Callable[..., Split]] = {
    "item_holdout": item_holdout,
    "leave_one_out": leave_one_out,
    "official_test": official_test,
    "paper": paper,
}

__all__ = ["PROTOCOLS", "item_holdout", "leave_one_out", "official_test", "paper"]
