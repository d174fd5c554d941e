"""RecBole's case study gives one row a user."""

from __future__ import annotations

import pytest
import torch
from recbole.utils.case_study import full_sort_scores, full_sort_topk

from dataset_prep.errors import DeltaError


@pytest.mark.parametrize("model_name", ["SASRecDelta", "GRU4Rec"])
def test_each_user_gets_one_row_at_the_last_test_case(tiny, train, model_name):
    settings = {"epochs": 1} if model_name == "SASRecDelta" else {"epochs": 1, "hidden_size": 16}
    _, (_, model, dataset, _, _, test) = train(tiny, model_name, **settings)
    rows = tiny.rows.sort_values(["user_id", "timestamp"], kind="stable")
    cases = rows[rows["split"] == "test"]["user_id"].value_counts()
    users = [*cases[cases > 1].index[:3], cases.index[-1]]
    uids = dataset.token2id(dataset.uid_field, users)
    scores = full_sort_scores(uids, model, test, device=model.device)
    best, item = full_sort_topk(uids, model, test, k=3, device=model.device)
    assert scores.shape == (4, len(test.dataset.item_tokens))
    for n, user in enumerate(users):
        own = rows[rows["user_id"] == user]
        at = own.index.get_loc(own.index[own["split"] == "test"][-1])
        history = own["item_id"].tolist()[:at][-8:]
        if model_name == "GRU4Rec":  # it knows warm items only
            warm = set(tiny.items.loc[tiny.items["is_cold"] == "0", "item_id"])
            history = [each for each in own["item_id"].tolist()[:at] if each in warm][-8:]
        ids = torch.from_numpy(dataset.token2id(dataset.iid_field, history))[None]
        if model_name == "GRU4Rec":
            ids = torch.nn.functional.pad(ids, (0, 8 - ids.size(1)))
        batch = {"item_id_list": ids, "item_length": torch.tensor([len(history)])}
        with torch.no_grad():
            expected = model.full_sort_predict(batch)[0]
        expected[0] = -torch.inf
        torch.testing.assert_close(scores[n], expected)
        order = sorted(range(len(expected)), key=lambda each: -float(expected[each]))
        assert item[n].tolist() == order[:3]
    assert best.shape == (4, 3)


def test_a_user_without_a_test_case_is_named(tiny, train):
    rows = tiny.rows.copy()
    rows.loc[(rows["user_id"] == "u7") & (rows["split"] == "test"), "split"] = "none"
    rows = rows[rows["split"] != "none"]
    _, (_, model, dataset, _, _, test) = train(tiny.replace(rows=rows), epochs=1)
    uids = dataset.token2id(dataset.uid_field, ["u1", "u7"])
    with pytest.raises(DeltaError, match="User 'u7' has no test case in tiny"):
        full_sort_topk(uids, model, test, k=3)
