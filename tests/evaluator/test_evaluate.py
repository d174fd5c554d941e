"""The evaluation of a model, under planted changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.datasets import planted

from recbole_delta.evaluator.evaluate import MODES, Mode, evaluate_modes


def test_cold_ranking_comes_from_the_cold_items_content(train):
    """Content shuffled among cold items after training: cold NDCG falls to chance."""
    prepared = planted(n_users=200, n_items=160, length=30)
    _, (_, model, dataset, _, _, test) = train(prepared, item_embedding="frozen", epochs=15)
    cases, first = test.dataset, dataset.n_warm + 1

    def cold_ndcg():
        # Without cold items in the history, only the candidates' content is shuffled.
        [evaluation] = evaluate_modes(model, cases, [Mode("all", "drop")], batch_size=512)
        return evaluation.metrics(["ndcg"], [10])["ndcg_cold@10"]

    # Chance: the target has the content of any cold item.
    chance = []
    for case in torch.nonzero(cases.instances.target >= first).flatten():
        if cases.instances.warm_history.lengths[case] == 0:
            chance.append(torch.tensor(0.0))
            continue
        scores = model.full_sort_predict(cases.batch(case[None], drop_cold=True)).detach()[0]
        scores[0] = -torch.inf
        scores[cases.instances.warm_history.flat(case[None])[1]] = -torch.inf
        ranks = (scores[None] > scores[first:, None]).sum(1) + 1
        chance.append(torch.where(ranks <= 10, 1 / torch.log2(ranks + 1.0), 0).mean())
    chance = float(torch.stack(chance).mean())

    informed = cold_ndcg()
    content = model.item_embedding.content
    original = content[first:].clone()
    shuffled = []
    for seed in range(30):
        order = torch.randperm(len(original), generator=torch.Generator().manual_seed(seed))
        content[first:] = original[order]
        shuffled.append(cold_ndcg())
    assert informed > 2 * chance
    error = np.std(shuffled, ddof=1) / np.sqrt(len(shuffled))
    assert np.mean(shuffled) == pytest.approx(chance, abs=3 * error)


def test_items_with_one_vector_tie_in_blocks_of_any_size(tiny, train):
    """A product of few rows differs in the last bit from column to column."""
    prepared = planted(n_users=80, n_items=150, dim=64)
    cold = prepared.items.loc[prepared.items["is_cold"] == "1", "item_id"]
    same = {token: prepared.vectors[cold.iloc[0]] for token in cold}
    prepared = prepared.replace(vectors={**prepared.vectors, **same})
    _, (_, model, dataset, _, _, test) = train(prepared, hidden_size=43, n_heads=1, epochs=1)
    n_cold = len(dataset.item_tokens) - 1 - dataset.n_warm
    for size in (1, 2, 3, 5, 4096):
        [evaluation] = evaluate_modes(model, test.dataset, [Mode("all", "drop")], batch_size=size)
        ranked = evaluation.is_cold & ~evaluation.empty_history
        seen = [
            (history > dataset.n_warm).sum()
            for history in (
                test.dataset.instances.history.flat(torch.tensor([case]))[1]
                for case in np.flatnonzero(ranked)
            )
        ]
        assert (evaluation.ranks.tied[ranked] == n_cold - 1 - np.array(seen)).all(), size


def test_a_cold_twin_of_a_warm_item_keeps_its_offset(train):
    prepared = planted(n_users=80, n_items=60)
    is_cold = prepared.items["is_cold"] == "1"
    warm, cold = (prepared.items.loc[mask, "item_id"].tolist() for mask in (~is_cold, is_cold))
    same = {token: prepared.vectors[w] for token, w in zip(cold, warm)}
    prepared = prepared.replace(vectors={**prepared.vectors, **same})
    _, (_, model, _, _, _, test) = train(prepared, item_embedding="frozen", epochs=1)
    cases, targets = test.dataset, test.dataset.instances.target
    for offset in (0.0, 0.7, -0.7):
        model.set_offsets(offset)
        [found] = evaluate_modes(model, cases, [Mode("all", "keep")], batch_size=64)
        for case in np.flatnonzero(~found.empty_history):
            index = torch.tensor([case])
            scores = model.full_sort_predict(cases.batch(index)).detach()[0]
            scores[0] = -torch.inf
            scores[cases.instances.history.flat(index)[1]] = -torch.inf
            own = scores[targets[case]]
            apart = (scores - own).abs() > 1e-5  # twins may differ in the last bit
            assert found.ranks.above[case] == (apart & (scores > own)).sum()
            assert found.ranks.tied[case] == (~apart).sum() - 1


def test_more_places_than_items_take_no_more_memory(tiny, train):
    _, (_, model, _, _, _, test) = train(tiny)
    n_items = test.dataset.item_num
    [few], [many] = (
        evaluate_modes(model, test.dataset, [Mode("all", "keep")], batch_size=64, k=k)
        for k in (n_items, 10**6)
    )
    assert many.groups.gap.shape == few.groups.gap.shape
    found = many.metrics(["hit", "ndcg"], [10**6])
    assert found["hit@1000000"] == pytest.approx(1 - many.empty_history.mean())
    assert found["ndcg_best@1000000"] == pytest.approx(
        few.metrics(["ndcg"], [n_items])[f"ndcg_best@{n_items}"]
    )


def test_few_scores_are_held_at_once(tiny, train, monkeypatch):
    _, (_, model, _, _, _, test) = train(tiny)
    whole = evaluate_modes(model, test.dataset, MODES, batch_size=4096)
    sizes, predict = [], model.full_sort_predict

    def watched(interaction):
        sizes.append(len(interaction))
        return predict(interaction)

    monkeypatch.setattr(model, "full_sort_predict", watched)
    at_once = 5 * test.dataset.item_num
    monkeypatch.setattr("recbole_delta.evaluator.inference.SCORES_AT_ONCE", at_once)
    monkeypatch.setattr("recbole_delta.evaluator.inference.CASES_AT_ONCE", 1)
    parts = evaluate_modes(model, test.dataset, MODES, batch_size=4096)
    assert max(sizes) == 5
    for a, b in zip(whole, parts):
        assert a.metrics(["ndcg"], [10]) == b.metrics(["ndcg"], [10])
