"""The mean of the content, against an oracle."""

from __future__ import annotations

import numpy as np
import pytest

from recbole_delta.evaluator.evaluate import MODES, evaluate_modes
from recbole_delta.evaluator.metrics import expected_gain


@pytest.mark.parametrize("length", [50, 3])
@pytest.mark.parametrize("mask_history", [True, False])
def test_content_mean_equals_an_oracle_per_user_in_all_modes(tiny, train, mask_history, length):
    """With 3 the model sees the end of the history; all of it is masked all the same."""
    settings = {"MAX_ITEM_LIST_LENGTH": length, "mask_history": mask_history}
    _, (_, model, dataset, _, _, test) = train(tiny, "ContentMean", **settings)
    users = dataset.field2id_token["user_id"][test.dataset.instances.user]
    items = dataset.field2id_token["item_id"][test.dataset.instances.target]
    for evaluation in evaluate_modes(model, test.dataset, MODES, batch_size=7):
        expected = content_mean_oracle(tiny, evaluation.mode, mask_history, length)
        gain = expected_gain("ndcg", evaluation.ranks, 10)
        assert len(gain) == len(expected)
        for user, item, value in zip(users, items, gain):
            assert value == pytest.approx(expected[user, item], abs=1e-6), (user, item)


def content_mean_oracle(prepared, mode, mask_history, length) -> dict[tuple[str, str], float]:
    """NDCG@10 of each (user, target) by plain numpy on the prepared frames."""
    items = prepared.items["item_id"].tolist()
    cold = np.array(prepared.items["is_cold"] == "1")
    raw = np.stack([prepared.vectors[i] for i in items]).astype(np.float64)
    raw = (raw - raw[~cold].mean(0)) / raw[~cold].std(0)
    centred = raw - raw[~cold].mean(0)
    _, _, axes = np.linalg.svd(centred[~cold], full_matrices=False)
    vectors = centred @ axes[:16].T
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    gains = {}
    for user, rows in prepared.rows.groupby("user_id"):
        seen = [items.index(i) for i in rows["item_id"]]
        for position, split in enumerate(rows["split"]):
            if split != "test":
                continue
            target, history = seen[position], seen[:position]
            shown = [i for i in history if mode.cold_history == "keep" or not cold[i]][-length:]
            candidate = np.ones(len(items), bool) if mode.candidates == "all" else ~cold
            if mask_history:
                candidate[history] = False
            gains[user, items[target]] = 0.0
            if shown and candidate[target]:
                scores = vectors @ vectors[shown].mean(0)
                rank = 1 + (scores[candidate] > scores[target]).sum()
                gains[user, items[target]] = 1 / np.log2(rank + 1) if rank <= 10 else 0.0
    return gains
