"""Protocols: what each interaction is for.

A protocol takes interactions sorted stably by time and returns the rows it keeps, in that
order, with a column ``split``: ``train``, ``valid`` and ``test`` (the row is a target) or
``history`` (the row only precedes a target). The history of a target is every earlier row of
its user, whatever that row is for. An item without a ``train`` row is cold.
"""

from collections.abc import Callable

import pandas as pd

from dataset_prep.protocols.item_holdout import item_holdout
from dataset_prep.protocols.paper import paper

PROTOCOLS: dict[str, Callable[..., pd.DataFrame]] = {
    "item_holdout": item_holdout,
    "paper": paper,
}

__all__ = ["PROTOCOLS", "item_holdout", "paper"]
