"""How often each item is recommended, against lists made case by case."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recbole_delta.evaluator.evaluate import MODES
from recbole_delta.evaluator.recommended import recommended_counts


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: f"{mode.candidates}-{mode.cold_history}")
@pytest.mark.parametrize(
    ("model", "settings"),
    [("SASRecDelta", {}), ("SASRecDelta", {"item_embedding": "id"}), ("GRU4Rec", {})],
)
def test_counts_are_those_of_ten_best_items_a_case(model, settings, mode, tiny, train):
    _, (_, model, dataset, _, _, test) = train(tiny, model, **settings)
    cases, vectors = test.dataset, model.embeds_cold_items
    expected = np.zeros(cases.item_num, dtype=int)
    for case in range(len(cases)):
        drop = mode.cold_history == "drop" or not vectors
        instances = cases.instances
        shown = (instances.warm_history if drop else instances.history).flat(torch.tensor([case]))
        if not len(shown[1]):
            continue
        batch = cases.batch(torch.tensor([case]), drop_cold=drop)
        with torch.no_grad():
            scores = model.eval().full_sort_predict(batch)[0].tolist()
        seen = set(instances.history.flat(torch.tensor([case]))[1].tolist())
        last = cases.n_warm if mode.candidates == "warm" or not vectors else cases.item_num - 1
        allowed = [item for item in range(1, last + 1) if item not in seen]
        for item in sorted(allowed, key=lambda item: -scores[item])[:10]:
            expected[item] += 1
    for size in (3, 4096):
        found = recommended_counts(model, cases, mode, batch_size=size)
        assert found.tolist() == expected[1:].tolist()
    assert dataset.n_warm < len(found)
