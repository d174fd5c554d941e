"""How many targets will be cold when a model is used, estimated without a look at test rows.

A model whose scores are calibrated for cold items has to know which share of its future targets is
cold. The share among the test targets may not be asked: by them the model is judged. What may be
asked is how the same preparation would have turned out earlier: the test rows are taken away, and
the core filter and the protocol are run again on what remains.

Which definition: each is compared here with the true share of the test targets; none is fitted.
``paper``, no core filter of the user's; Amazon Beauty (2014, ratings above 3; test 1,284 of 5,161
= 0.249), MovieLens 1M (11 of 1,209 = 0.009) and ml-100k (15 of 166 = 0.090):

======================================================= ======= ======= =======
estimate                                                 Beauty   ml-1m ml-100k
======================================================= ======= ======= =======
last cut, cold is "no row before the cut"                 0.096   0.002   0.000
the same, 90% of the users train                          0.103   0.002   0.000
last cut, 3-core and 90% of the users (all of ``paper``)  0.213   0.003   0.029
all of ``paper``, the cut before it                       0.274   0.001   0.076
all of ``paper``, the cut before that                     0.261   0.000   0.076
**these three, their targets added up**                   0.249   0.002   0.058
all of ``paper``, but cut at 0.8 of the time              0.344   0.002   0.049
all of ``paper``, but cut at 0.7                          0.379   0.004   0.068
======================================================= ======= ======= =======

So cold must mean what it means in the protocol: unseen in *training*, after the 3-core. Cuts at 0.8
and 0.7 have later targets than the protocol, and more of them are new. Cuts differ by more than
chance (Beauty: 0.21 to 0.27, standard errors 0.006), so that one alone is not trusted and three are
added up (a fourth would give 0.257). That Beauty agrees to three digits is luck: the spread lets
one expect an error of a tenth to a fifth, and more where few targets are cold.

A core filter (``--core``) counts all rows, those of the test included. Here it is run anew on what
remains of the rows before it. Beauty with a 10-core, ``paper``: test 0.674; core filter run anew
0.589, left out 0.246.

``leave_one_out`` is repeated once: as this takes a row from every user, a second time would be
about fewer and other users. Beauty: test 0.0210, estimate 0.0216; with a 5-core 0.0178 and 0.0117.

``item_holdout`` has no earlier state, as what it holds out is drawn from the whole log. But the
items for validation and for test are drawn alike, and the ones can take the place of the others.
The share among the validation *targets* is lower, as these must precede their user's test targets
(seed 42, no core filter):

======================= ======= ======== ==================
data and held-out items    test estimate validation targets
======================= ======= ======== ==================
Beauty, newest            0.233    0.239              0.142
Beauty, random            0.334    0.329              0.274
MovieLens 1M, newest      0.400    0.407              0.378
MovieLens 1M, random      0.499    0.496              0.490
ml-100k, newest           0.316    0.374              0.352
ml-100k, random           0.496    0.491              0.482
======================= ======= ======== ==================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from dataset_prep.errors import DeltaError
from dataset_prep.interactions.filters import in_n_core
from dataset_prep.interactions.log import OFFICIAL_TEST, Log, occurrences
from dataset_prep.protocols.common import TEST, TRAIN, VALID, Split, last_of_users
from dataset_prep.protocols.earlier import EARLIER
from dataset_prep.protocols.item_holdout import item_holdout

DIGITS = 6
"""Decimals of a share in ``name.json``."""


def cold_share(
    before: Log,
    kept: np.ndarray,
    done: Split,
    protocol: Callable[..., Split],
    options: Mapping[str, Any],
    core: int = 1,
) -> dict[str, Any]:
    """The expected share of cold targets, as ``name.json`` records it.

    Which rows are test rows is up to the core filter and the protocol. Which items these rows
    hold changes nothing here, as long as the same rows are test rows.

    Args:
        before: the interactions in order of time, ``n`` rows, as they were before the core filter.
        kept: ``[n]`` bool, the rows that the core filter has kept, on which the protocol was run.
        done: what the protocol made of them.
        protocol: the protocol itself.
        options: its keyword arguments.
        core: fewest rows of each user and item in the core filter; 1 for none.

    Returns:
        ``value``, from 0 to 1, or None where it cannot be estimated; ``how``, one sentence, the
        reason if it cannot; and ``cuts``, a dictionary for each part of the estimate: ``what`` it
        is, the ``rows`` looked at, the ``cold`` and all ``targets`` found there, and ``share``,
        their quotient (None without targets).

    Example:
        Each user's last row is a test target: b, c and n. Without these rows ann's a and bob's
        x are the last, and no other row has x. Of cleo one row is left, no target:

        >>> import numpy as np
        >>> import polars as pl
        >>> from dataset_prep.interactions.log import Log
        >>> from dataset_prep.protocols import leave_one_out
        >>> from dataset_prep.protocols.cold_share import cold_share
        >>> rows = {"user_id": ["ann"] * 3 + ["bob"] * 3 + ["cleo"] * 2}
        >>> rows |= {"item_id": list("aab" "bxc" "an"), "timestamp": range(8)}
        >>> log, _ = Log.read(pl.LazyFrame(rows), "plays")
        >>> kept = np.ones(len(log), dtype=bool)
        >>> found = cold_share(log, kept, leave_one_out(log), leave_one_out, {})
        >>> found["value"], found["cuts"][0]["cold"], found["cuts"][0]["targets"]
        (0.5, 1, 2)
    """
    if protocol is item_holdout:
        if options.get("shots"):
            return _none("with shots, only held-out items without a row to train on are cold")
        return _validation_for_test(done)
    if protocol not in EARLIER:
        return _none("this protocol is not known to be repeatable without its test rows")
    earlier, whole = EARLIER[protocol], core == 1
    # Ratings and the like are not needed.
    needed = {name: before.extra[name] for name in before.extra if name == OFFICIAL_TEST}
    log, split = replace(before, extra=needed), done.split
    cuts: list[dict[str, Any]] = []
    for times in range(1, earlier.times + 1):
        past = earlier.log(log, kept, split, **options)
        if isinstance(past, str):
            if not cuts:
                return _none(past)
            break
        log = past
        kept = np.ones(len(log), dtype=bool) if whole else in_n_core(log.user, log.item, core)
        if not kept.any():
            break
        try:
            split, cold = _again(log if whole else log.keep(kept), protocol, options)
        except DeltaError as error:  # it has not refused its options, but these are fewer rows
            if not cuts:
                return _none(str(error))
            break
        what = f"test rows taken away, {times}x"
        cuts.append(_cut(what, len(log), cold, int(np.count_nonzero(split == TEST))))
    targets = sum(cut["targets"] for cut in cuts)
    if not targets:
        return _none("without the test rows there is no test target left")
    value = round(sum(cut["cold"] for cut in cuts) / targets, DIGITS)
    anew = "" if whole else f"; the {core}-core is taken anew of the rows that are left"
    return {"value": value, "how": f"{earlier.how}{anew}", "cuts": cuts}


def _again(
    log: Log, protocol: Callable[..., Split], options: Mapping[str, Any]
) -> tuple[np.ndarray, int]:
    """What the protocol makes of its rows, and how many test targets are cold then."""
    done = protocol(log, **options)
    is_cold = ~_trained(done)[done.log.item[done.split == TEST]]
    return done.split, int(np.count_nonzero(is_cold))


def _validation_for_test(done: Split) -> dict[str, Any]:
    """``item_holdout``: the items held out for validation take the place of the test items.

    A user's targets are then the last row with a warm item and the last row with an item held
    out for validation, of all rows that are not test targets. An item held out for validation
    that is no target anywhere is not known as one here.
    """
    log, split = done.log, done.split
    warm, valid = _trained(done), log.item[split == VALID]
    held_out = np.zeros(len(log.items), dtype=bool)
    held_out[valid[~warm[valid]]] = True
    others = split != TEST
    n_cold, n_warm = (len(last_of_users(log.user, others & f[log.item])) for f in (held_out, warm))
    if not n_cold + n_warm:
        return _none("no row is left without the test targets")
    rows = int(np.count_nonzero(others))
    in_place = "validation items in the place of the test items"
    cuts = [
        _cut(in_place, rows, n_cold, n_cold + n_warm),
        _cut("validation targets", rows, int(np.count_nonzero(held_out[valid])), len(valid)),
    ]
    how = (
        "the items held out for validation in the place of those held out for test, without the "
        "test targets: last rows of users with such an item, by these and last rows with a warm one"
    )
    return {"value": cuts[0]["share"], "how": how, "cuts": cuts}


def _trained(done: Split) -> np.ndarray:
    """Which of ``log.items`` have a training row: ``[items]`` bool."""
    return occurrences(done.log.item, len(done.log.items), done.split == TRAIN) > 0


def _cut(what: str, rows: int, cold: int, targets: int) -> dict[str, Any]:
    share = round(cold / targets, DIGITS) if targets else None
    return {"what": what, "rows": rows, "cold": cold, "targets": targets, "share": share}


def _none(why: str) -> dict[str, Any]:
    return {"value": None, "how": f"not estimated: {why}", "cuts": []}
