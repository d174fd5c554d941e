"""Offsets: chosen without test rows, kept in the checkpoint, honoured wherever items are scored."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from support.datasets import in_waves, uneven, without_cold_items, without_cold_validation
from support.served import content_of

import recbole_delta
from dataset_prep.errors import DeltaError
from recbole_delta import Recommender
from recbole_delta.embedding import EMBEDDINGS
from recbole_delta.evaluator.calibration import Calibration, choose_offset
from recbole_delta.evaluator.evaluate import Mode, evaluate_modes
from recbole_delta.evaluator.frontier import Frontier
from recbole_delta.evaluator.mass import equal_mass, log_odds
from recbole_delta.model import BACKBONES
from recbole_delta.trainer.checkpoint import Checkpoint

ALL = {"valid_candidates": "all", "valid_metric": "NDCG@10", "epochs": 3}


def weights(path):
    return {name: value for name, value in Checkpoint.load(path).model.items()}


def test_a_number_is_added_to_the_scores_of_cold_items_and_to_nothing_else(tiny, train):
    plain, (_, before, dataset, _, _, test) = train(tiny, **ALL)
    moved, (_, after, *_) = train(tiny, cold_offset=1.5, **ALL)
    for name, value in weights(plain.checkpoint).items():
        assert torch.equal(value, weights(moved.checkpoint)[name]), name
    batch = test.dataset.batch(torch.arange(8))
    with torch.no_grad():
        gain = after.eval().full_sort_predict(batch) - before.eval().full_sort_predict(batch)
    cold = torch.arange(gain.size(1)) > dataset.n_warm
    assert gain[:, ~cold].eq(0).all()
    torch.testing.assert_close(gain[:, cold], torch.full_like(gain[:, cold], 1.5))


@pytest.mark.parametrize(
    "model", ["SASRecDelta", "ContentMean", "SASRecEnsemble", "RPG", "CEASE", "NARMDelta"]
)
def test_more_is_added_to_cold_items_after_a_cold_one(tiny, train, model):
    settings = {**ALL, "n_codebook": 8}  # of RPG
    _, (_, net, dataset, _, _, test) = train(tiny, model, **settings)
    batch, n_warm = test.dataset.batch(torch.arange(len(test.dataset))), dataset.n_warm
    net.eval().set_offsets(0.0)
    with torch.no_grad():
        before = net.full_sort_predict(batch)
        net.set_offsets(1.0, after_cold=0.5)
        gain = net.full_sort_predict(batch) - before
        one = net.predict(batch) - before.gather(1, batch[net.ITEM_ID][:, None])[:, 0]
    last = [items[length - 1] for items, length in zip(batch[net.ITEM_SEQ].tolist(),
                                                       batch[net.ITEM_SEQ_LEN].tolist())]  # fmt: skip
    after_cold = torch.tensor([item > n_warm for item in last])
    assert 0 < after_cold.sum() < len(after_cold)
    expected = torch.zeros_like(gain)
    expected[:, n_warm + 1 :] = torch.where(after_cold, 1.5, 1.0)[:, None]
    torch.testing.assert_close(gain, expected, atol=1e-4, rtol=0)
    of_target = expected.gather(1, batch[net.ITEM_ID][:, None])[:, 0]
    torch.testing.assert_close(one, of_target, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "model", ["SASRecDelta", "ContentMean", "SASRecEnsemble", "RPG", "NARMDelta"]
)
def test_the_test_metrics_are_those_of_the_frontier_at_the_offset(tiny, train, model):
    settings = {**ALL, "n_codebook": 8}  # of RPG
    plain, (_, net, _, _, _, test) = train(tiny, model, **settings)
    moved, _ = train(tiny, model, cold_offset=0.75, **settings)
    mode = plain.test_mode
    [found] = evaluate_modes(
        net, test.dataset, [Mode(mode["candidates"], mode["cold_history"])], batch_size=64
    )
    cold, warm = Frontier(found.groups, "ndcg", 10).at(0.75)
    assert moved.test_result["ndcg_cold@10"] == pytest.approx(cold, abs=2e-3)
    assert moved.test_result["ndcg_warm@10"] == pytest.approx(warm, abs=2e-3)
    assert moved.test_result["ndcg_cold@10"] >= plain.test_result["ndcg_cold@10"]


def test_new_items_follow_new_items(train):
    """Where they do, two constants are better than one, at what no constant can do."""
    settings = {**ALL, "epochs": 15, "train_batch_size": 16, "cold_offset": "auto"}
    settings |= {"cold_share": 0.4}
    one, _ = train(in_waves(), **settings)
    two, (_, model, *_) = train(in_waves(), after_cold_offset="auto", **settings)
    assert two.calibration["after_cold"] == model.after_cold_offset > 2
    assert two.test_result["ndcg@10"] > one.test_result["ndcg@10"] + 0.05
    assert two.calibration["total"] > one.calibration["total"] + 0.05
    for group, differs in {"within_cold": False, "within_warm": False, "area": True}.items():
        before, after = (each.test_result[f"ndcg_{group}@10"] for each in (one, two))
        assert (after > before + 0.02) == differs, group
        assert differs or after == pytest.approx(before, abs=1e-6), group


@pytest.mark.parametrize("change", [lambda p: p, without_cold_validation], ids=["own", "held out"])
@pytest.mark.parametrize("world", [uneven, in_waves])
def test_no_test_row_is_looked_at(train, world, change):
    """Other targets, of other items, in every test row: the same weights, the same offset."""
    prepared = change(world())
    settings = {**ALL, "recipe": "calibrated", "cold_share": 0.4, "epochs": 8}
    one, _ = train(prepared, **settings)
    rows = prepared.rows.copy()
    test = rows["split"] == "test"
    rows.loc[test, "item_id"] = rows.loc[test, "item_id"].to_numpy()[::-1]
    assert (rows["item_id"] != prepared.rows["item_id"]).sum() > 20
    two, _ = train(prepared.replace(rows=rows), **settings)
    first, second = (Checkpoint.load(each.checkpoint).metadata for each in (one, two))
    assert first.cold_offset == second.cold_offset != 0
    assert first.after_cold_offset == second.after_cold_offset
    assert first.after_cold_offset != 0 or world is uneven
    assert first.warm_offsets == second.warm_offsets
    assert first.warm_offsets or change is without_cold_validation or world is in_waves
    for name, value in weights(one.checkpoint).items():
        if "content" not in name:  # rows of cold items are in the order of their appearance
            assert torch.equal(value, weights(two.checkpoint)[name]), name


def test_it_lies_between_the_three_estimates(tiny, train):
    _, (_, model, _, _, valid, _) = train(tiny, **ALL)
    found, _ = train(tiny, cold_offset="auto", **ALL)
    odds = log_odds(model, valid.dataset, 64)
    chosen = choose_offset(model, valid.dataset, "ndcg", 10, None, 64)
    offset = Checkpoint.load(found.checkpoint).metadata.cold_offset
    assert offset == pytest.approx(chosen.offset, abs=1e-6)
    assert found.calibration == dataclasses.asdict(chosen)
    three = (chosen.best, chosen.equal_mass, chosen.by_skill)
    assert min(three) < offset < max(three)
    model.set_offsets(offset)
    [validated] = evaluate_modes(
        model,
        valid.dataset,
        [Mode("all", valid.dataset.settings.cold_history)],
        k=10,
        batch_size=64,
    )
    assert validated.metrics(["ndcg"], [10])["ndcg@10"] == pytest.approx(chosen.total)
    mass = 1 / (1 + np.exp(-(odds + chosen.equal_mass)))
    assert np.nanmean(mass) == pytest.approx(chosen.share, abs=1e-6)


def test_equal_mass_of_many():
    odds = np.random.default_rng(0).normal(-3, 2, 500)
    offset = equal_mass(odds, 0.3)
    assert (1 / (1 + np.exp(-(odds + offset)))).mean() == pytest.approx(0.3, abs=1e-9)


@pytest.mark.parametrize("model", ["SASRecDelta", "SASRecEnsemble"])
def test_serving_ranks_as_the_evaluation(tiny, train, model):
    result, (_, net, dataset, *_) = train(
        tiny, model, cold_offset=2.0, after_cold_offset=0.7, **ALL
    )
    assert result.after_cold_offset == 0.7
    recommender = Recommender(result.checkpoint)
    cold, other = recommender.cold_items[:2]
    histories = [["i1", "i5"], ["i1", cold], [cold, "i5"], [other, cold], ["i5", "i1"]]
    number = dataset.field2token_id["item_id"]
    ids = torch.tensor([[number[each] for each in history] for history in histories])
    with torch.no_grad():
        scores = net.eval().full_sort_predict(
            {net.ITEM_SEQ: ids, net.ITEM_SEQ_LEN: torch.full((len(ids),), 2)}
        )
    found = recommender.recommend(histories, k=20, exclude_seen=False)
    for best, given in zip(scores.topk(20).values.tolist(), found):
        assert [each.score for each in given] == pytest.approx(best, abs=1e-5)
    recommender.set_cold_share(0.4)  # moves the other constant alone
    assert recommender.model.after_cold_offset == 0.7
    recommender = Recommender(result.checkpoint)
    recommender.save("again.safetensors")
    again = Recommender("again.safetensors")
    assert again.recommend(histories, k=20, exclude_seen=False) == found


@pytest.mark.parametrize("model", ["SASRecDelta", "GRU4Rec"], ids=["ours", "RecBole's"])
def test_constants_of_warm_items_are_kept_and_honoured(train, model):
    """In the checkpoint, the evaluation, a resumed run; and by what serves, where it can."""
    settings = {**ALL, "warm_offset": "auto", "epochs": 8, "stopping_step": 9}
    if model == "SASRecDelta":
        settings["cold_offset"] = "auto"
    result, (_, net, dataset, *_) = train(uneven(), model, **settings)
    offsets = Checkpoint.load(result.checkpoint).metadata.warm_offsets
    assert offsets
    assert list(net.warm_offsets) == offsets
    half, _ = train(uneven(), model, **{**settings, "epochs": 3})
    resumed = recbole_delta.resume(half.checkpoint, {"epochs": 8})
    assert resumed.test_modes == result.test_modes
    plain, (_, bare, *_) = train(uneven(), model, **{**settings, "warm_offset": "none"})
    assert plain.test_result["ndcg_warm@10"] != result.test_result["ndcg_warm@10"]
    ids = torch.tensor([[dataset.field2token_id["item_id"][each] for each in ("i1", "i5")]])
    asked = {net.ITEM_SEQ: ids, net.ITEM_SEQ_LEN: torch.tensor([2])}
    with torch.no_grad():
        scores, without = (each.eval().full_sort_predict(asked)[0] for each in (net, bare))
    warm = slice(1, dataset.n_warm + 1)
    classes = [int(n - 1).bit_length() for n in dataset.train_counts()]
    expected = torch.tensor([offsets[each] for each in classes])
    torch.testing.assert_close(scores[warm] - without[warm], expected, atol=1e-5, rtol=0)
    if model == "SASRecDelta":
        best = scores[1:].topk(20)
        found = Recommender(result.checkpoint).recommend([["i1", "i5"]], k=20, exclude_seen=False)
        assert [each.score for each in found[0]] == pytest.approx(best.values.tolist(), abs=1e-5)


def test_where_no_item_is_cold_yet_one_that_comes_later_is_not_buried(tiny, train, caplog):
    caplog.set_level("WARNING")
    prepared = without_cold_items(tiny)
    settings = {**ALL, "require_cold": False, "epochs": 8}
    result, _ = train(prepared, recipe="calibrated", **settings)
    assert "items that a second training holds out" in caplog.text
    recommender = Recommender(result.checkpoint)
    histories = [[item] for item in recommender.items[:3]]
    first = [found[0].item for found in recommender.recommend(histories, k=1)]
    recommender.add_items([f"twin of {t}" for t in first], content_of(tiny, first))
    for best, found in zip(first, recommender.recommend(histories, k=10)):
        assert f"twin of {best}" in [each.item for each in found]


def test_without_a_cold_candidate_there_is_no_mass_to_give():
    assert Calibration.by_mass(np.empty(0), 0.3).offset == 0


def test_an_item_with_a_delta_of_its_own_has_no_offset(tiny, train):
    result, _ = train(tiny, cold_offset=3.0, **ALL)
    recommender = Recommender(result.checkpoint)
    new, other = recommender.cold_items[:2]
    recommender.warm_up([["i1", new], ["i2", new], ["i1", "i2", "i3"]])
    offsets = recommender.model.offsets(recommender.model.n_catalogue)[:, 0]
    place = {token: n for n, token in enumerate(recommender.known_items, 1)}
    assert offsets[place[new]] == 0
    assert offsets[place[other]] == 3
    recommender.save("warm.safetensors")
    again = Recommender("warm.safetensors")
    assert torch.equal(again.model.offsets(again.model.n_catalogue)[:, 0], offsets)


def test_resuming_and_loading_keep_the_offset(tiny, train):
    whole, _ = train(tiny, cold_offset="auto", **{**ALL, "epochs": 4, "stopping_step": 9})
    half, _ = train(tiny, cold_offset="auto", **{**ALL, "epochs": 2, "stopping_step": 9})
    resumed = recbole_delta.resume(half.checkpoint, {"epochs": 4})
    assert resumed.test_result == whole.test_result
    _, model, *_ = recbole_delta.load_run(resumed.checkpoint)
    assert model.cold_offset == Checkpoint.load(whole.checkpoint).metadata.cold_offset


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cold_offset": "much"}, "cold_offset must be one of none | auto | a number"),
        ({"cold_offset": float("nan")}, "cold_offset must be a number"),
        ({"after_cold_offset": "much"}, "after_cold_offset must be one of none | auto | a number"),
        (
            {"after_cold_offset": 2, "cold_history": "drop"},
            "which cold_history: drop rules out; set after_cold_offset: none",
        ),
        ({"cold_share": 1.5}, "cold_share must be a number from 1e-06 to 0.999999"),
        ({"cold_share": 0}, "cold_share must be a number from 1e-06 to 0.999999"),
        ({"cold_share": 1.0}, "cold_share must be a number from 1e-06 to 0.999999"),
        ({"cold_delta": "half"}, "cold_delta must be one of zero | neighbours"),
        ({"cold_validation": "old"}, "cold_validation must be one of newest | random"),
    ],
)
def test_bad_settings(tiny, train, given, message):
    with pytest.raises(DeltaError, match=message.replace("|", r"\|")):
        train(tiny, **given)


def test_a_model_without_vectors_for_cold_items_is_left_alone(tiny, train):
    plain, _ = train(tiny, item_embedding="id", epochs=2)
    auto, _ = train(tiny, item_embedding="id", epochs=2, cold_offset="auto")
    assert dataclasses.asdict(auto)["test_modes"] == plain.test_modes


def test_the_recipe_is_what_it_says_and_gives_way_to_the_user(tiny, train):
    three = dict.fromkeys(("cold_offset", "after_cold_offset", "warm_offset"), "auto")
    spelt_out = {**three, "cold_delta": "neighbours"}
    recipe, (_, model, *_) = train(tiny, recipe="calibrated", **ALL)
    assert recipe.test_modes == train(tiny, **spelt_out, **ALL)[0].test_modes
    assert model.cold_offset != 0
    _, (config, other, *_) = train(tiny, recipe="calibrated", cold_offset="none", **ALL)
    assert (other.cold_offset, config["cold_delta"]) == (0.0, "neighbours")
    with pytest.raises(DeltaError, match="recipe must be one of paper"):
        train(tiny, recipe="best")


@pytest.mark.parametrize(
    ("backbone", "mode"),
    [*((each, "delta") for each in BACKBONES), *(("SASRecDelta", each) for each in EMBEDDINGS)],
)
def test_the_recipe_composes_with_every_backbone_and_embedding(tiny, train, backbone, mode):
    given = {"recipe": "calibrated", "item_embedding": mode, **ALL, "epochs": 1}
    result, _ = train(tiny, backbone, **given)
    metadata = Checkpoint.load(result.checkpoint).metadata
    assert (metadata.cold_offset != 0) == EMBEDDINGS[mode].embeds_cold_items
    recommender = Recommender(result.checkpoint)
    found = recommender.recommend([recommender.items[:2]], k=3)
    assert len(found[0]) == 3
