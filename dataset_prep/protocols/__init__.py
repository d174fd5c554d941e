"""Protocols: functions that say what each interaction is for.

A protocol takes a :class:`~dataset_prep.interactions.log.Log` whose rows are in order of time. It
returns a :class:`~dataset_prep.protocols.common.Split`: the rows that it keeps, in the order in
which they were, and for each row one of

- ``train``: models are trained on it,
- ``valid`` or ``test``: it is a target, which models have to predict,
- ``history``: it only precedes a target.

The history of a target is every earlier row of its user, whatever that row is for. An item
without a ``train`` row is cold.

To add a protocol, write a function in a module of this folder and enter it in
:data:`PROTOCOLS` below; :mod:`dataset_prep.protocols.leave_one_out` is the shortest to look at.
The function's keyword arguments are the protocol's options. One called ``seed`` gets the
``--seed`` of the command line.

Example:
    A protocol that is registered from outside, by a project that uses this package. Rows up to
    a given time are trained on, and each user's last row after it is a test target:

    >>> import numpy as np
    >>> import polars as pl
    >>> from dataset_prep.format.fields import SPLITS
    >>> from dataset_prep.interactions.log import Log
    >>> from dataset_prep.protocols import PROTOCOLS
    >>> from dataset_prep.protocols.common import HISTORY, TEST, TRAIN, Split, last_of_users
    >>> def last_after(log, *, until=0.0):
    ...     late = log.time > until
    ...     split = np.where(late, HISTORY, TRAIN)
    ...     split[last_of_users(log.user, late)] = TEST
    ...     return Split(log, split)
    >>> PROTOCOLS["last_after"] = last_after

    From here on ``prepare(..., protocol="last_after", protocol_options={"until": 2})`` takes it.
    On three rows of one user it gives:

    >>> rows = {"user_id": ["ann"] * 3, "item_id": ["x", "y", "z"], "timestamp": [1, 3, 4]}
    >>> log, _ = Log.read(pl.LazyFrame(rows), "plays")
    >>> [SPLITS[code] for code in PROTOCOLS["last_after"](log, until=2).split]
    ['train', 'history', 'test']
    >>> del PROTOCOLS["last_after"]
"""

import inspect
from collections.abc import Callable
from typing import Any

from dataset_prep.protocols.common import Split
from dataset_prep.protocols.global_time import global_time
from dataset_prep.protocols.item_holdout import item_holdout
from dataset_prep.protocols.leave_one_out import leave_one_out
from dataset_prep.protocols.official_test import official_test
from dataset_prep.protocols.paper import paper

PROTOCOLS: dict[str, Callable[..., Split]] = {
    "global_time": global_time,
    "item_holdout": item_holdout,
    "leave_one_out": leave_one_out,
    "official_test": official_test,
    "paper": paper,
}
"""All protocols by name."""


def protocol_options(name: str) -> dict[str, Any]:
    """Names and defaults of a protocol's own options: all its arguments but the log.

    Args:
        name: a key of :data:`PROTOCOLS`.

    Example:
        >>> protocol_options("leave_one_out")
        {}
    """
    _, *options = inspect.signature(PROTOCOLS[name]).parameters.values()
    return {each.name: each.default for each in options}


__all__ = [
    "PROTOCOLS",
    "global_time",
    "item_holdout",
    "leave_one_out",
    "official_test",
    "paper",
    "protocol_options",
]
