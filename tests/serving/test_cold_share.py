"""``recommend --cold-share``: along the frontier without training again."""

from __future__ import annotations

import numpy as np
import pytest
from support.served import content_of

from dataset_prep.errors import DeltaError
from recbole_delta import Recommender

ALL = {"valid_candidates": "all", "valid_metric": "NDCG@10", "epochs": 3}


def test_a_share_moves_along_the_frontier(tiny, train):
    result, _ = train(tiny, cold_offset="auto", **ALL)
    recommender = Recommender(result.checkpoint)
    histories = [[f"i{n}"] for n in range(0, 40, 3)]
    n_cold = []
    for share in (0.01, 0.3, 0.7, 0.99):
        recommender.set_cold_share(share)
        found = recommender.recommend(histories, k=5)
        cold = set(recommender.cold_items)
        n_cold.append(sum(each.item in cold for row in found for each in row))
    assert n_cold == sorted(n_cold)
    assert n_cold[0] < n_cold[-1]
    # Twice as many cold items have twice the odds: the offset that gives the share is log 2 less.
    before = recommender.model.cold_offset
    tokens = recommender.cold_items
    recommender.add_items([f"new-{t}" for t in tokens], content_of(tiny, tokens))
    recommender.set_cold_share(0.99)
    assert recommender.model.cold_offset == pytest.approx(before - np.log(2), abs=1e-6)


@pytest.mark.parametrize(
    ("share", "message"), [(0.0, "cold_share must be"), (2, "cold_share must")]
)
def test_a_share_is_a_share(tiny, train, share, message):
    result, _ = train(tiny, cold_offset="auto", **ALL)
    with pytest.raises(DeltaError, match=message):
        Recommender(result.checkpoint).set_cold_share(share)


def test_a_run_that_was_not_calibrated_says_so(tiny, train):
    result, _ = train(tiny, **ALL)
    with pytest.raises(DeltaError, match="train it with cold_offset: auto"):
        Recommender(result.checkpoint).set_cold_share(0.5)


def test_constants_on_warm_items_alone_say_nothing_of_cold_ones(tiny, train):
    result, _ = train(tiny, warm_offset="auto", **ALL)
    with pytest.raises(DeltaError, match="its run has no cold_offset, no cold item with a vector"):
        Recommender(result.checkpoint).set_cold_share(0.5)
