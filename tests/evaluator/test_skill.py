"""How far a model's confidence comes true."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recbole_delta.evaluator.skill import claimed_gain, log_skill


@pytest.mark.parametrize("model", ["SASRecDelta", "GRU4RecDelta"])
def test_what_a_model_claims_is_what_its_probabilities_promise(tiny, train, model):
    _, (_, net, _, _, valid, _) = train(tiny, model, valid_candidates="all")
    cases = valid.dataset
    claimed = claimed_gain(net, cases, "ndcg", 10, batch_size=7)
    assert cases.has_cold_target.any()
    histories = cases.instances.history
    for case in range(len(cases)):
        history = histories.flat(torch.tensor([case]))[1]
        if not len(history):
            assert claimed[case] == 0
            continue
        with torch.no_grad():
            seen = {net.ITEM_SEQ: history[None], net.ITEM_SEQ_LEN: torch.tensor([len(history)])}
            score = net.full_sort_predict(seen)[0].double().numpy()
        score[history] = -np.inf
        cold = slice(cases.n_warm + 1, None)
        of_group = score[cold if cases.has_cold_target[case] else slice(1, cases.n_warm + 1)]
        chance = np.sort(np.exp(of_group) / np.exp(of_group).sum())[::-1][:10]
        promised = (chance / np.log2(np.arange(len(chance)) + 2)).sum()
        assert claimed[case] == pytest.approx(promised, abs=1e-5)


def test_skill_is_what_comes_true_on_cold_items_beside_warm_ones():
    """Hits are claimed alike; of cold items 60 come true, of warm ones 100."""
    gain = np.r_[np.ones(60), np.zeros(90), np.ones(100), np.zeros(50)]
    is_cold = np.arange(300) < 150
    claimed = np.full(300, 2 / 3)
    assert log_skill(gain, claimed, is_cold) == pytest.approx(np.log(60 / 100), abs=0.01)
    assert log_skill(gain, 1.5 * claimed, is_cold) == pytest.approx(np.log(60 / 100), abs=0.01)
    assert log_skill(claimed, claimed, is_cold) == 0


def test_a_group_that_is_hardly_seen_says_hardly_anything():
    gain, claimed = np.r_[0.0, np.ones(100)], np.r_[0.1, np.ones(100)]
    assert -0.1 < log_skill(gain, claimed, np.arange(101) < 1) < 0
