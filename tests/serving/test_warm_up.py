"""Cold items get deltas from their first interactions; all else stays."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from recbole_delta import DeltaError, Recommender
from recbole_delta.cli.main import main
from recbole_delta.model import BACKBONES
from recbole_delta.serving.warm_up import Contexts, fit_deltas


def training_histories(prepared):
    rows = prepared.rows[prepared.rows["split"] == "train"]
    return rows.groupby("user_id")["item_id"].agg(list).tolist()


def cluster(items, number):
    """Items of a cluster of ``planted``."""
    return [item for item in items if int(item[1:]) % 4 == number]


def rank_of(recommender, item, history):
    listed = [each.item for each in recommender.recommend([history], k=1000)[0]]
    return listed.index(item)


class Products:
    """A model that scores by plain products, with or without constants on warm items."""

    def __init__(self, offset):
        self.offset = offset

    @staticmethod
    def as_candidates(rows):
        return rows

    def offsets(self, n_items):
        return (torch.arange(n_items) % 3 * self.offset)[:, None].expand(-1, 2)


class Table:
    """Content with deltas for the warm items."""

    def __init__(self, content, delta_max):
        self.content, self.weight, self.delta_max = content, content, delta_max


def loss_of(delta, content, n_warm, contexts, ids, offset):
    rows = torch.cat([content[1 : n_warm + 1], content[ids] + delta])
    row = {int(item): n_warm + n for n, item in enumerate(ids)}
    target = torch.tensor([row.get(int(t), int(t) - 1) for t in contexts.target])
    added = F.pad(Products(offset).offsets(n_warm + 1)[1:, 0], (0, len(ids)))
    each = F.cross_entropy(contexts.hidden @ rows.T + added, target, reduction="none")
    return (each * contexts.weight).sum()


@pytest.mark.parametrize(
    ("delta_max", "offset"), [(0.3, 0.0), (1.0, 0.0), (float("inf"), 0.0), (1.0, 0.9)]
)
def test_the_fitted_deltas_have_the_least_cross_entropy_in_the_ball(delta_max, offset):
    torch.manual_seed(0)
    content = F.normalize(torch.randn(31, 6), dim=1)
    content[0] = 0
    ids, n_warm = torch.tensor([25, 28, 30]), 24
    target = torch.cat([torch.randint(1, 25, (150,)), ids.repeat(5)])
    contexts = Contexts(2 * torch.randn(165, 6), target, torch.where(target > 24, 1.0, 0.7))
    found = fit_deltas(Products(offset), Table(content, delta_max), n_warm, contexts, ids)
    assert found.norm(dim=1).max() <= delta_max + 1e-6
    # Many small steps down the gradient that autograd gives, back into the ball after each.
    best = torch.zeros(3, 6, requires_grad=True)
    for _ in range(4000):
        [slope] = torch.autograd.grad(loss_of(best, content, n_warm, contexts, ids, offset), best)
        with torch.no_grad():
            best -= 0.02 * slope
            best *= (delta_max / best.norm(dim=1, keepdim=True)).clamp(max=1)
    start, least, reached = (
        float(loss_of(each.detach(), content, n_warm, contexts, ids, offset))
        for each in (torch.zeros(3, 6), best, found)
    )
    assert least < start - 1
    assert start - reached > 0.99 * (start - least)


@pytest.fixture
def trained(tiny, train):
    """A checkpoint, and a cold item with the cluster that its content shows."""
    checkpoint = train(tiny, epochs=20, learning_rate=0.01)[0].checkpoint
    item = Recommender(checkpoint).cold_items[0]
    return checkpoint, item, int(item[1:]) % 4


def taken_elsewhere(prepared, item, number):
    """Training histories with the item at the end of three of another cluster."""
    histories = training_histories(prepared)
    others = [h for h in histories if int(h[0][1:]) % 4 == (number + 1) % 4]
    return [*histories, *([*h, item] for h in others[:3])], others[5]


def test_interactions_move_an_item_to_where_it_is_wanted(tiny, trained):
    checkpoint, item, number = trained
    histories, history = taken_elsewhere(tiny, item, number)
    recommender = Recommender(checkpoint)
    before = rank_of(recommender, item, history)
    assert recommender.warm_up(histories) == {item: 3}
    assert rank_of(recommender, item, history) < before / 2


def few_histories(prepared, item):
    """Two histories of the item's own cluster that end in it, and all of the cluster without it."""
    own = [h for h in training_histories(prepared) if int(h[0][1:]) % 4 == int(item[1:]) % 4]
    before = [each for each in own if len(each) > 1]
    return [[*each, item] for each in before[:2]], before


def test_a_few_histories_lower_no_item_and_say_what_is_missing(tiny, trained):
    for item in Recommender(trained[0]).cold_items:
        recommender = Recommender(trained[0])
        histories, before = few_histories(tiny, item)
        ranks = [rank_of(recommender, item, each) for each in before]
        with pytest.warns(UserWarning, match=r"^2 of 2 histories hold a cold item, so \d+% of"):
            recommender.warm_up(histories)
        after = [rank_of(recommender, item, each) for each in before]
        assert all(a <= b for a, b in zip(after[:2], ranks)), item  # where it was taken
        assert np.mean(after[2:]) <= np.mean(ranks[2:]), item  # and where it will be


def test_ordinary_histories_among_them_are_enough(tiny, trained, recwarn):
    recommender = Recommender(trained[0])
    histories, _ = few_histories(tiny, trained[1])
    recommender.warm_up([*histories, *training_histories(tiny)])
    assert not [each for each in recwarn if "histories hold" in str(each.message)]


def test_the_command_takes_ordinary_histories_from_a_further_file(tiny, trained, tmp_path, capsys):
    checkpoint, item, _ = trained
    histories, before = few_histories(tiny, item)
    for name, lines in (("few", histories), ("log", training_histories(tiny))):
        text = "".join(json.dumps({"history": each}) + "\n" for each in lines)
        (tmp_path / f"{name}.jsonl").write_text(text)
    few, log, to = (str(tmp_path / each) for each in ("few.jsonl", "log.jsonl", "warm.safetensors"))
    main(["warm-up", checkpoint, "--to", to, few])
    assert capsys.readouterr().err.startswith("warning: 2 of 2 histories hold a cold item, so ")
    main(["warm-up", checkpoint, "--to", to, few, "--background", log])
    assert capsys.readouterr().err == ""
    recommender = Recommender(checkpoint)
    recommender.warm_up([*histories, *training_histories(tiny)])
    assert Recommender(to).recommend(before) == recommender.recommend(before)


def test_nothing_else_moves(tiny, trained):
    checkpoint, item, number = trained
    histories, history = taken_elsewhere(tiny, item, number)
    recommender = Recommender(checkpoint)
    before = {e.item: e.score for e in recommender.recommend([history], k=1000)[0]}
    recommender.warm_up(histories)
    after = {e.item: e.score for e in recommender.recommend([history], k=1000)[0]}
    assert before.pop(item) != after.pop(item)
    assert after == pytest.approx(before, abs=1e-6)
    assert item in recommender.cold_items
    embedding = recommender._embedding
    assert embedding.delta.norm(dim=1).max() <= embedding.delta_max + 1e-6


def test_a_warmed_item_is_saved_and_warmed_again(tiny, trained, tmp_path):
    checkpoint, item, number = trained
    histories, history = taken_elsewhere(tiny, item, number)
    recommender = Recommender(checkpoint)
    recommender.warm_up(histories)
    recommender.save(tmp_path / "warm.safetensors")
    again = Recommender(tmp_path / "warm.safetensors")
    assert again.recommend([history]) == recommender.recommend([history])
    # Fitting starts from the content: the same histories give the same deltas.
    again.warm_up(histories)
    assert again.recommend([history]) == recommender.recommend([history])
    again.add_items(["new"], np.stack([tiny.vectors[item]]))
    row = {token: n for n, token in enumerate(again.known_items, 1)}
    embedding = again._embedding
    assert torch.equal(embedding.weight[row["new"]], embedding.content[row["new"]])
    again.save(tmp_path / "more.safetensors")
    more = Recommender(tmp_path / "more.safetensors")
    assert more.recommend([[*history, "new"]]) == again.recommend([[*history, "new"]])


@pytest.mark.parametrize("model", [*BACKBONES, "SASRecEnsemble"])
def test_every_backbone_warms_items_up(tiny, train, model):
    result, _ = train(tiny, model, epochs=3, item_embedding="delta")
    recommender = Recommender(result.checkpoint)
    item = recommender.cold_items[0]
    histories, history = taken_elsewhere(tiny, item, int(item[1:]) % 4)
    before = rank_of(recommender, item, history)
    recommender.warm_up(histories)
    assert rank_of(recommender, item, history) <= before


@pytest.mark.parametrize("mode", ["id", "frozen", "whitening"])
def test_embeddings_without_deltas_are_refused(tiny, train, mode):
    recommender = Recommender(train(tiny, item_embedding=mode, epochs=1)[0].checkpoint)
    known = recommender.items[:2]
    with pytest.raises(DeltaError, match="cannot warm items up|without deltas to fit"):
        recommender.warm_up([known])


def test_histories_that_say_nothing_are_refused(tiny, trained):
    checkpoint, item, _ = trained
    recommender = Recommender(checkpoint)
    warm = training_histories(tiny)[0][0]
    for histories in ([], [[item]], [[item, warm]], training_histories(tiny)):
        with pytest.raises(DeltaError, match="no cold item follows another"):
            recommender.warm_up(histories)
    with pytest.raises(DeltaError, match="History 2: there is no item 'who'"):
        recommender.warm_up([[warm, item], ["who", item]])


def test_the_command_warms_up(tiny, trained, tmp_path, capsys):
    checkpoint, item, number = trained
    histories, history = taken_elsewhere(tiny, item, number)
    lines = tmp_path / "lines.jsonl"
    lines.write_text("".join(json.dumps({"history": each}) + "\n" for each in histories))
    to = str(tmp_path / "warm.safetensors")
    main(["warm-up", checkpoint, str(lines), "--to", to])
    assert "1 item got deltas from 3 interactions" in capsys.readouterr().out
    recommender = Recommender(checkpoint)
    recommender.warm_up(histories)
    assert Recommender(to).recommend([history]) == recommender.recommend([history])
    lines.write_text('{"history": ["who"]}')
    with pytest.raises(SystemExit):
        main(["warm-up", checkpoint, str(lines), "--to", to])
    assert "line 1: history: there is no item 'who'" in capsys.readouterr().err
