"""From raw interactions to a split, with the counts after every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from logging import getLogger
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from dataset_prep.errors import DeltaError, at_least_1, check_options, check_seed, number
from dataset_prep.format.atomic import check_ids
from dataset_prep.interactions.filters import in_n_core, n_repeated, sample_users, without_repeats
from dataset_prep.interactions.log import Log, occurrences
from dataset_prep.protocols import PROTOCOLS, protocol_options
from dataset_prep.protocols.cold_share import cold_share
from dataset_prep.protocols.common import TEST, TRAIN, VALID, counts, first_of_users


@dataclass(frozen=True)
class Filters:
    """What is kept of the raw interactions; the filters are applied in the order given here.

    Attributes:
        above: columns and bounds; only rows strictly above are kept (``{"rating": 3}``).
        users: how many users to draw; None for all.
        seed: seed of the draw of users.
        drop_repeats: keep only the first of a user's consecutive rows with the same item.
        core: every user and every item keeps at least this many rows.

    Raises:
        DeltaError: a number that is too small, or a seed that NumPy does not take.

    Example:
        >>> from dataset_prep import Filters
        >>> from dataset_prep.sources import get_source
        >>> from dataset_prep.steps import split_log
        >>> films = get_source("ml-100k").read(None, {})  # comes with RecBole
        >>> filters = Filters(above={"rating": 3}, core=5)
        >>> done = split_log(films.interactions, "ml-100k", filters, "leave_one_out", {})
        >>> for each in done.steps[:3]:
        ...     print(each["step"], each["rows"])
        raw 100000
        rating > 3 55375
        5-core 54413
    """

    above: Mapping[str, float] = field(default_factory=dict)
    users: int | None = None
    seed: int = 42
    drop_repeats: bool = False
    core: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.above, Mapping):
            raise DeltaError(f"above must be bounds, as in {{rating: 3}}, but is {self.above!r}.")
        for column, bound in self.above.items():
            number(f"above: the bound of {column}", bound)
        at_least_1("core", self.core)
        check_seed(self.seed)
        if self.users is not None:
            at_least_1("users", self.users)


@dataclass(frozen=True)
class SplitLog:
    """Interactions, each with what it is for.

    Attributes:
        log: the interactions in order of time.
        split: ``[n]`` uint8, what each row is for as a position in
            :data:`dataset_prep.format.fields.SPLITS`.
        steps: numbers of rows, users and items after each step.
        cold_share: the expected share of cold targets, estimated without the test rows:
            ``value``, ``how`` and ``cuts`` of
            :func:`dataset_prep.protocols.cold_share.cold_share`.
    """

    log: Log
    split: np.ndarray
    steps: list[dict[str, Any]]
    cold_share: dict[str, Any]

    def train_counts(self) -> np.ndarray:
        """How many training rows each of ``log.items`` has: ``[items]`` int64."""
        return occurrences(self.log.item, len(self.log.items), self.split == TRAIN)

    def targets(self) -> dict[str, dict[str, int]]:
        """Cold and warm targets of validation and test, and how many have an empty history."""
        warm = self.train_counts() > 0
        first = first_of_users(self.log.user)
        found = {}
        for name, code in (("valid", VALID), ("test", TEST)):
            rows = np.flatnonzero(self.split == code)
            n_warm = int(warm[self.log.item[rows]].sum())
            found[name] = {
                "cold": len(rows) - n_warm,
                "warm": n_warm,
                "empty_history": int((self.split[first] == code).sum()),
            }
        return found


def split_log(
    rows: pl.LazyFrame,
    source: str,
    filters: Filters,
    protocol: str,
    options: Mapping[str, Any],
    without: Mapping[str, str] = MappingProxyType({}),
) -> SplitLog:
    """Read the raw interactions, filter them, and split them.

    Args:
        rows: ``user_id``, ``item_id``, ``timestamp`` and further columns of numbers.
        source: the file that is read, for messages.
        filters: what is kept.
        protocol: a name in :data:`dataset_prep.protocols.PROTOCOLS`.
        options: keyword arguments of the protocol.
        without: items whose rows are dropped before users are drawn and rows are counted for
            the core, and why.

    Raises:
        DeltaError: the interactions cannot be read, RecBole could not read back an id, the
            protocol refuses its options or the data, or no interaction is left.
    """
    check_options(protocol, options, protocol_options(protocol))
    check_seed(options.get("seed", 0))
    log, raw = Log.read(rows, source, filters.above)
    check_ids(log.users, "user_id")
    check_ids(log.items, "item_id")
    steps: list[dict[str, Any]] = [{"step": "raw", **raw}]
    log = log.in_order_of_time()
    if filters.above:
        bounds = [f"{column} > {bound:g}" for column, bound in filters.above.items()]
        steps.append(counts(", ".join(bounds), log))
    if without:
        log = log.keep(~log.items.is_in(list(without)).to_numpy()[log.item])
        if not len(log):
            token, reason = next(iter(without.items()))
            raise DeltaError(
                f"No item has content; of {token!r}, {reason}. Are ids written alike in all files?"
            )
        steps.append(counts("items without content dropped", log))
    if filters.users is not None:
        log = sample_users(log, filters.users, filters.seed)
        steps.append(counts(f"{filters.users} users", log))
    if filters.drop_repeats:
        log = without_repeats(log)
        steps.append(counts("repeats dropped", log))
    before, kept = log, np.ones(len(log), dtype=bool)
    if filters.core > 1:
        kept = in_n_core(log.user, log.item, filters.core)
        log = log.keep(kept)
        steps.append(counts(f"{filters.core}-core", log))
    if not len(log):
        raise DeltaError(f"No interaction is left after {steps[-1]['step']}.")
    if repeated := n_repeated(log):
        getLogger().warning(
            f"{source}: {repeated} rows are like an earlier one, of the same user, item and time, "
            "and may be training rows and targets at once; drop_repeats leaves out a user's rows "
            "that repeat the one before."
        )
    done = PROTOCOLS[protocol](log, **options)
    share = cold_share(before, kept, done, PROTOCOLS[protocol], options, filters.core)
    steps += [*done.steps, counts(protocol, done.log)]
    steps.append(counts("training", done.log, done.split == TRAIN))
    return SplitLog(done.log, done.split, steps, share)
