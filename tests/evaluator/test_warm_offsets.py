"""Constants on warm items by training rows: what is likeliest, and whether it helps."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import logsumexp, softmax
from support.datasets import uneven

from recbole_delta.evaluator import warm_offsets
from recbole_delta.evaluator.evaluate import Mode, evaluate_modes
from recbole_delta.evaluator.scoring import case_blocks
from recbole_delta.evaluator.warm_offsets import (
    choose_warm_offsets,
    class_masses,
    likeliest_offsets,
)

ALL = {"valid_candidates": "all", "valid_metric": "NDCG@10"}


@pytest.fixture
def trained(train):
    """A model whose items have from one training row to sixteen."""
    _, parts = train(uneven(), epochs=8, anew=False, **ALL)
    return parts


def warm_ndcg(model, cases):
    [found] = evaluate_modes(model, cases, [Mode("warm", "keep")], batch_size=64)
    return found.metrics(["ndcg"], [10])["ndcg_warm@10"]


@pytest.mark.parametrize("seed", range(3))
def test_the_likeliest_give_each_class_the_share_of_its_targets(seed):
    rng = np.random.default_rng(seed)
    mass = rng.normal(0, 2, (4000, 5)) - [0, 1, 2, 3, 4]
    target = rng.choice(5, 4000, p=[0.1, 0.3, 0.05, 0.35, 0.2])
    found = likeliest_offsets(mass, target)
    count = np.bincount(target)
    share = softmax(mass + found, axis=1).mean(0)
    assert share == pytest.approx(count / 4000, abs=2e-3)  # the prior holds a little back
    # At the largest posterior the offsets themselves are what is left of the gradient.
    left = count - softmax(mass + found, axis=1).sum(0)
    assert left == pytest.approx(found, abs=1e-3)


def test_a_class_without_candidates_is_left_alone():
    mass = np.array([[0.0, -np.inf], [0.0, -np.inf]])
    assert np.isfinite(likeliest_offsets(mass, np.array([0, 0]))).all()


def test_masses_are_those_of_the_scores(trained):
    _, model, dataset, _, valid, _ = trained
    counts = dataset.train_counts()
    assert set(model.warm_class.tolist()) >= {0, 1, 2, 3}
    mass, target = class_masses(model, valid.dataset, 32)
    cases, row = valid.dataset, 0
    for case in range(len(cases)):
        item = int(cases.instances.target[case])
        index = torch.tensor([case])
        history = cases.instances.history.flat(index)[1].tolist()
        if item > cases.n_warm or not history or item in history:
            continue
        with torch.no_grad():
            scores = model.full_sort_predict(cases.batch(index))[0].double()
        total = {}
        for each in set(range(1, cases.n_warm + 1)) - set(history):
            bits = int(counts[each - 1] - 1).bit_length()
            total[bits] = total.get(bits, 0.0) + float(scores[each].exp())
        expected = [np.log(total[n]) if n in total else -np.inf for n in range(mass.shape[1])]
        assert mass[row] == pytest.approx(expected, abs=1e-4)
        assert target[row] == int(counts[item - 1] - 1).bit_length()
        row += 1
    assert row == len(mass) > 50


def test_what_was_taken_from_rare_items_is_given_back(trained, monkeypatch):
    """Scores of rare items that are lowered after training: chosen on validation, right on test."""
    _, model, _, _, valid, test = trained
    classes = int(model.warm_class.max()) + 1
    predict, lowered = model.score_known, torch.linspace(-6, 0, classes)

    def biased(interaction):
        scores = predict(interaction).clone()
        scores[:, 1 : model.n_warm + 1] += lowered[model.warm_class]
        return scores

    model.set_offsets(0.0)
    whole = warm_ndcg(model, test.dataset)
    monkeypatch.setattr(model, "score_known", biased)
    before = warm_ndcg(model, test.dataset)
    offsets = choose_warm_offsets(model, valid.dataset, "ndcg", 10, 64)
    assert not model.has_offsets
    assert np.corrcoef(offsets, -lowered)[0, 1] > 0.9
    model.set_offsets(0.0, offsets)
    assert warm_ndcg(model, test.dataset) - before > 0.8 * (whole - before) > 0.05
    model.set_offsets(0.0)


def test_they_leave_warm_items_their_mass_beside_cold_ones(trained):
    _, model, _, _, valid, _ = trained
    model.set_offsets(0.0)
    mass, _ = class_masses(model, valid.dataset, 64)
    offsets = choose_warm_offsets(model, valid.dataset, "ndcg", 10, 64)
    assert max(offsets) - min(offsets) > 0.1
    before, after = logsumexp(mass, axis=1), logsumexp(mass + offsets, axis=1)
    assert after.mean() == pytest.approx(before.mean(), abs=1e-3)


def test_what_does_harm_on_validation_is_not_taken(trained, monkeypatch):
    _, model, _, _, valid, _ = trained
    model.set_offsets(0.0)
    before = warm_ndcg(model, valid.dataset)
    model.set_offsets(0.0, choose_warm_offsets(model, valid.dataset, "ndcg", 10, 64))
    assert warm_ndcg(model, valid.dataset) >= before
    model.set_offsets(0.0)
    classes = int(model.warm_class.max()) + 1
    monkeypatch.setattr(
        warm_offsets, "likeliest_offsets", lambda *_: np.linspace(-9, 9, classes) ** 3
    )
    assert choose_warm_offsets(model, valid.dataset, "ndcg", 10, 64) == ()


def test_without_warm_targets_there_is_nothing_to_choose_by(trained):
    _, model, _, _, valid, _ = trained
    cases = copy.copy(valid.dataset)
    only_cold = torch.full_like(cases.instances.target, cases.n_warm + 1)
    cases.instances = replace(cases.instances, target=only_cold)
    model.set_offsets(0.0)
    assert choose_warm_offsets(model, cases, "ndcg", 10, 64) == ()


@pytest.mark.parametrize("model", ["BPR", "Pop", "ItemKNN", "EASE", "GRU4Rec"])
def test_recboles_models_honour_them_too(train, model):
    _, (_, net, _, _, valid, _) = train(uneven(), model, warm_offset="none", epochs=1)
    classes = int(net.warm_class.max()) + 1
    index = case_blocks(net, valid.dataset, True, 8)[0]
    batch = valid.dataset.batch(index, drop_cold=True)
    with torch.no_grad():
        plain = net.eval().full_sort_predict(batch)
        net.set_offsets(0.0, np.arange(classes).tolist())
        moved = net.full_sort_predict(batch)
    warm = slice(1, net.n_warm + 1)
    known = torch.isfinite(plain[:, warm])
    assert known.any()
    gain = (moved - plain)[:, warm].float()
    expected = net.warm_class.float().expand_as(gain)
    torch.testing.assert_close(gain[known], expected[known], atol=1e-4, rtol=0)
    net.set_offsets(0.0)
