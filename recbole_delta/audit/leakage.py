"""Time leakage: training on what comes after a target, or on the target itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dataset_prep.format.fields import SPLITS
from recbole_delta.audit.finding import FAULT, NOTE, WARNING, Finding
from recbole_delta.audit.prepared import PreparedRows, groups

CUT_IN_TIME = ("paper", "global_time")
"""Protocols that train on nothing that comes after a test target."""


def leakage(rows: PreparedRows) -> Iterator[Finding]:
    """Training rows that are later than test targets, or the targets themselves.

    Args:
        rows: rows of a prepared data set.
    """
    if rows.has_clock:
        yield from _trained_later(rows)
    else:
        yield Finding(
            NOTE,
            "no common clock",
            "All users begin at the same time, so times of different users were not compared.",
            len(rows.users),
        )
    yield from _trained_after_own_target(rows)
    yield from _same_rows(rows)


def _trained_later(rows: PreparedRows) -> Iterator[Finding]:
    target, trained = rows.of("test"), np.sort(rows.time[rows.of("train")])
    time = rows.time[target]
    early = time < (trained[-1] if len(trained) else -np.inf)
    if not early.any():
        return
    later = 1 - np.searchsorted(trained, time, side="right") / len(trained)
    by_design = rows.protocol and rows.protocol not in CUT_IN_TIME
    yield Finding(
        FAULT if rows.protocol in CUT_IN_TIME else WARNING,
        "training after test targets",
        f"{early.sum():,} of {len(time):,} test targets are earlier than the newest training "
        f"row; on average {later.mean():.1%} of the training rows come after a target"
        + (f" (protocol {rows.protocol} has this by design)." if by_design else "."),
        float(early.mean()),
        rows.examples(np.flatnonzero(target)[time == time.min()]),
    )


def _trained_after_own_target(rows: PreparedRows) -> Iterator[Finding]:
    target = rows.of("valid", "test")
    first = np.full(len(rows.users), np.inf)
    np.minimum.at(first, rows.user[target], rows.time[target])
    late = rows.of("train") & (rows.time > first[rows.user])
    if late.any():
        yield Finding(
            FAULT,
            "training after the user's own target",
            f"{late.sum():,} training rows come after a validation or test target of their user.",
            int(late.sum()),
            rows.examples(late),
        )


def _same_rows(rows: PreparedRows) -> Iterator[Finding]:
    """The same user, item and time in several splits, or several times in one."""
    order, starts = groups(rows.time, rows.pair)
    splits = np.bitwise_or.reduceat(np.left_shift(1, rows.split[order]), starts)
    train, valid, test = (1 << SPLITS.index(each) for each in ("train", "valid", "test"))
    leaks = ((splits & train) > 0) & ((splits & (valid | test)) > 0)
    several = (np.bitwise_count(splits) > 1) & ~leaks
    again = np.diff(np.append(starts, len(order))) > np.bitwise_count(splits)
    if again.any():
        yield Finding(
            WARNING,
            "same row again",
            f"{again.sum():,} rows (user, item and time) stand more than once in a split; of "
            "targets that do, the second has the first in its history.",
            int(again.sum()),
            rows.examples(order[starts[again]]),
        )
    if leaks.any():
        yield Finding(
            FAULT,
            "target in training",
            f"{leaks.sum():,} validation or test targets are training rows too: same user, item "
            "and time.",
            int(leaks.sum()),
            rows.examples(order[starts[leaks]]),
        )
    if several.any():
        yield Finding(
            WARNING,
            "same row in several splits",
            f"{several.sum():,} rows (user, item and time) are in more than one split.",
            int(several.sum()),
            rows.examples(order[starts[several]]),
        )
