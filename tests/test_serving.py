"""A checkpoint recommends, alone, also items that were not there when it was trained."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from served import HISTORIES, content_of, listed

import recbole_delta
from dataset_prep.encoders.new_items import NewItems
from dataset_prep.format.content import write_content
from recbole_delta import DeltaError, Recommender
from recbole_delta.cli.main import main
from recbole_delta.evaluator import inference
from recbole_delta.model import MODELS
from recbole_delta.trainer.checkpoint import Checkpoint
from recbole_delta.trainer.metadata import RECOMMENDER


def before_the_cold_items(prepared):
    """The same data as they were before any cold item came, with another test split."""
    warm = prepared.items[prepared.items["is_cold"] == "0"]
    rows = prepared.rows[prepared.rows["item_id"].isin(warm["item_id"])]
    return prepared.replace(rows=rows, items=warm)


def cold_tokens(prepared):
    return prepared.items.loc[prepared.items["is_cold"] == "1", "item_id"].tolist()


@pytest.mark.parametrize("mode", ["delta", "alphafuse", "whitening", "moe"])
@pytest.mark.parametrize("model", [m.__name__ for m in MODELS if m.__name__ != "ContentMean"])
def test_added_items_rank_as_if_they_had_been_there_from_the_start(tiny, train, model, mode):
    settings = {"item_embedding": mode, "eval_step": 0}
    known, _ = train(tiny, model, **settings)
    later, _ = train(
        before_the_cold_items(tiny), model, name="before", require_cold=False, **settings
    )
    new = cold_tokens(tiny)
    whole, grown = Recommender(known.checkpoint), Recommender(later.checkpoint)
    assert grown.cold_items == []
    grown.add_items(new, content_of(tiny, new))
    assert sorted(grown.items) == sorted(whole.items)
    assert sorted(grown.cold_items) == sorted(new)
    histories = [*HISTORIES, [new[0], "i1"], [new[1]]]
    for options in ({}, {"cold_only": True}, {"exclude_seen": False, "k": 48}):
        ours, theirs = (each.recommend(histories, **options) for each in (grown, whole))
        for a, b in zip(ours, theirs):
            assert [each.item for each in a] == [each.item for each in b]
            assert [each.score for each in a] == pytest.approx([each.score for each in b], abs=1e-5)


def test_recommendations_are_those_that_the_evaluation_ranks(tiny, train):
    result, (_, _, dataset, _, _, test) = train(tiny, "SASRecDelta", epochs=3)
    recommender, cases, tokens = Recommender(result.checkpoint), test.dataset, dataset.item_tokens
    hits = []
    for case in range(len(cases.instances)):
        history = cases.instances.history.flat(torch.tensor([case]))[1].numpy()
        found = listed(recommender, [tokens[history].tolist()])[0] if len(history) else []
        target = tokens[cases.instances.target[case]]
        hits.append(1 / np.log2(found.index(target) + 2) if target in found else 0.0)
    assert np.mean(hits) == pytest.approx(result.test_result["ndcg@10"], abs=1e-6)


@pytest.mark.parametrize("block", [1, 100, 2**22])
def test_recommending_is_sorting_all_scores(trained, monkeypatch, block):
    monkeypatch.setattr(inference, "SCORES_AT_ONCE", block)
    monkeypatch.setattr(inference, "CASES_AT_ONCE", 1)
    recommender = Recommender(trained)
    everything = recommender.recommend(HISTORIES, k=1000, exclude_seen=False)
    for history, found in zip(HISTORIES, everything):
        scores = [each.score for each in found]
        assert scores == sorted(scores, reverse=True)
        assert sorted(each.item for each in found) == sorted(recommender.items)
        unseen = [each.item for each in found if each.item not in history]
        assert listed(recommender, [history], k=7)[0] == unseen[:7]
        allowed = [item for item in unseen if item in {"i8", "i9", "i10"}]
        assert listed(recommender, [history], allow=["i8", "i9", "i10"])[0] == allowed
        denied = set(unseen[:3])
        assert listed(recommender, [history], k=4, deny=denied)[0] == unseen[3:7]
        cold = [item for item in unseen if item in recommender.cold_items]
        assert listed(recommender, [history], cold_only=True, k=100)[0] == cold


def test_a_removed_item_is_not_recommended_but_may_be_past(trained, tmp_path):
    recommender = Recommender(trained)
    first = listed(recommender, HISTORIES, k=1)[0][0]
    recommender.remove_items([first, "i1"])
    assert first not in recommender.items
    assert first not in listed(recommender, HISTORIES, k=100)[0]
    recommender.save(tmp_path / "less.safetensors")
    again = Recommender(tmp_path / "less.safetensors")
    assert listed(again, HISTORIES) == listed(recommender, HISTORIES)
    with pytest.raises(DeltaError, match="remove: there is no item 'nobody'"):
        recommender.remove_items(["nobody"])


def test_replacing_content_moves_a_cold_item_and_keeps_a_warm_ones_delta(tiny, trained):
    recommender = Recommender(trained)
    cold = recommender.cold_items[0]
    warm = next(token for token in recommender.items if token not in recommender.cold_items)
    embedding = recommender._embedding
    row = {token: n for n, token in enumerate(recommender.known_items, 1)}
    delta = embedding.delta[row[warm]].clone()
    recommender.add_items([cold, warm], content_of(tiny, ["i2", "i3"]))
    content = embedding.content
    assert torch.equal(embedding.weight[row[cold]], content[row["i2"]])
    torch.testing.assert_close(embedding.weight[row[warm]], content[row["i3"]] + delta)


def test_a_saved_recommender_holds_what_was_added(tiny, trained, tmp_path):
    recommender = Recommender(trained)
    recommender.add_items(["new", "newer"], content_of(tiny, ["i5", "i6"]) + 0.01)
    histories = [*HISTORIES, ["new", "i1", "newer"]]
    recommender.save(tmp_path / "more.safetensors")
    again = Recommender(tmp_path / "more.safetensors")
    assert again.recommend(histories) == recommender.recommend(histories)
    assert "new" in listed(again, [["i1"]], cold_only=True, k=100)[0]
    again.add_items(["newest"], content_of(tiny, ["i7"]))
    assert {"new", "newer", "newest"} <= set(again.cold_items)


def test_an_id_may_be_strange_or_long(tiny, trained, tmp_path):
    """An array of texts would take the longest id's room for each of them."""
    recommender, strange = Recommender(trained), ["nul\0", "l" * 10**8]
    recommender.add_items(strange, content_of(tiny, ["i5", "i6"]))
    recommender.save(tmp_path / "more.safetensors")
    assert Recommender(tmp_path / "more.safetensors").items[-2:] == strange


@pytest.mark.parametrize("removed", [5, None, "i1", ["nobody"], [1], [["i1"]]])
def test_a_checkpoint_that_has_removed_what_is_not_there_is_refused(trained, tmp_path, removed):
    checkpoint = Checkpoint.load(trained)
    checkpoint.metadata = replace(checkpoint.metadata, removed=removed, kind=RECOMMENDER)
    checkpoint.save(tmp_path / "odd.safetensors")
    with pytest.raises(DeltaError, match="odd.safetensors.*removed"):
        Recommender(tmp_path / "odd.safetensors")


def test_what_a_recommender_has_saved_is_no_run_to_go_on_with(trained, tmp_path):
    Recommender(trained).save(tmp_path / "today.safetensors")
    for use in (recbole_delta.resume, recbole_delta.load_run):
        with pytest.raises(DeltaError, match="today.safetensors was written after training"):
            use(tmp_path / "today.safetensors")


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda r, v: r.add_items(["a"], v[:, :5]), "dimension 5, and the model was trained on"),
        (lambda r, v: r.add_items(["a", "b"], v), "1 vectors for 2 items"),
        (lambda r, v: r.add_items([""], v), "An item id must be a line of text"),
        (lambda r, v: r.add_items(["a\nb"], v), "An item id must be a line of text"),
        (lambda r, v: r.add_items(["a", "a"], v.repeat(2, 0)), "'a' is there twice"),
        (lambda r, v: r.add_items(["a"], v * np.nan), "NaN or infinite values"),
        (lambda r, v: r.add_items(["a"], v * 0), "a vector of zeros"),
        (lambda r, v: r.recommend([["i1", "who"]]), "History 1: there is no item 'who'"),
        (lambda r, v: r.recommend([["i1"], []]), "History 2 must be a list of item ids, and not"),
        (lambda r, v: r.recommend(["i1"]), "History 1 must be a list"),
        (lambda r, v: r.recommend([[3]]), "ids are texts, in quotation marks, but one is 3"),
        (lambda r, v: r.recommend([["i1"]], k=0), "k must be at least 1"),
        (lambda r, v: r.recommend([["i1"]], allow=["who"]), "allow: there is no item 'who'"),
        (lambda r, v: r.recommend([["i1"]], deny=["who"]), "deny: there is no item 'who'"),
        (lambda r, v: r.recommend([["i1"]], deny="i2"), "deny takes a list of ids, but is 'i2'"),
        (lambda r, v: r.recommend([["i1"]], allow="i2"), "allow takes a list of ids"),
        (lambda r, v: r.remove_items("i2"), "remove takes a list of ids, but is 'i2'"),
        (lambda r, v: r.add_items("a", v), "Ids are a list of texts, but here is the text 'a'"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(tiny, trained, act, message):
    recommender = Recommender(trained)
    before = recommender.items, listed(recommender, HISTORIES)
    with pytest.raises(DeltaError, match=message):
        act(recommender, content_of(tiny, ["i1"]))
    assert (recommender.items, listed(recommender, HISTORIES)) == before


def test_models_without_content_recommend_but_take_no_items(tiny, train):
    result, _ = train(tiny, item_embedding="id")
    recommender = Recommender(result.checkpoint)
    assert recommender.cold_items == []
    assert len(listed(recommender, [recommender.items[:2]])[0]) == 10
    with pytest.raises(DeltaError, match="cannot add items"):
        recommender.add_items(["new"], content_of(tiny, ["i1"]))
    stock, _ = train(tiny, "SASRec", epochs=1)
    with pytest.raises(DeltaError, match="RecBole's SASRec, which has no vectors for new items"):
        Recommender(stock.checkpoint)


def test_content_mean_recommends(tiny, train):
    result, _ = train(tiny, "ContentMean")
    assert len(listed(Recommender(result.checkpoint), HISTORIES)[0]) == 10


def test_an_older_checkpoint_is_refused_in_words(trained, tmp_path, monkeypatch):
    checkpoint = Checkpoint.load(trained)
    monkeypatch.setattr("recbole_delta.trainer.checkpoint.FORMAT", "recbole_delta-2")
    checkpoint.save(tmp_path / "old.safetensors")
    monkeypatch.undo()
    with pytest.raises(DeltaError, match=r"recbole_delta-4\), but recbole_delta-2; train again"):
        Recommender(tmp_path / "old.safetensors")


# -- the command ---------------------------------------------------------------------------


def test_the_command_adds_and_recommends(tiny, trained, tmp_path, capsys, monkeypatch):
    write_content(tmp_path / "new.safetensors", ["new"], content_of(tiny, ["i5"]) + 0.01)
    more = str(tmp_path / "more.safetensors")
    main(
        [
            "add",
            trained,
            "--to",
            more,
            "--vectors",
            str(tmp_path / "new.safetensors"),
            "--remove",
            "i9",
        ]
    )
    assert "1 items added" in capsys.readouterr().out
    lines = [{"history": ["i1", "new"], "user": "u"}, {"history": ["i2"], "at": 5}]
    text = "\n".join(map(json.dumps, lines)) + "\n\n"
    (tmp_path / "lines.jsonl").write_text(text)
    (tmp_path / "deny.txt").write_text("i2\ni3\n")
    main(
        [
            "recommend",
            more,
            str(tmp_path / "lines.jsonl"),
            "-k",
            "3",
            "--deny",
            str(tmp_path / "deny.txt"),
        ]
    )
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    recommender = Recommender(more)
    expected = recommender.recommend([each["history"] for each in lines], 3, deny=["i2", "i3"])
    assert [each["items"] for each in found] == [[vars(e) for e in each] for each in expected]
    assert (found[0]["user"], found[1]["at"]) == ("u", 5)
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    main(["recommend", more, "--cold-only"])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {item["item"] for each in found for item in each["items"]} <= set(recommender.cold_items)


def test_lists_of_ids_may_have_the_marks_of_other_systems(trained, tmp_path, capsys, monkeypatch):
    (tmp_path / "ids.txt").write_bytes(b"\xef\xbb\xbfi8\r\n\r\ni9\r\n\r\n")
    for option, found in (("--allow", {"i8", "i9"}), ("--deny", set())):
        monkeypatch.setattr("sys.stdin", io.StringIO('{"history": ["i1"]}'))
        main(["recommend", trained, "-k", "99", option, str(tmp_path / "ids.txt")])
        items = {each["item"] for each in json.loads(capsys.readouterr().out)["items"]}
        assert items & {"i8", "i9"} == found
        assert items <= found or option == "--deny"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["add"], "Say what to add (--items, --audio, --vectors) or which ids to --remove"),
        (["add", "--remove", "i1"], "Cannot write ., which is where you are; give it a name"),
        (["export"], "Cannot write ., which is where you are; give it a name"),
    ],
)
def test_a_command_with_nothing_to_do_or_nowhere_to_write_says_so(
    trained, tmp_path, monkeypatch, capsys, command, message
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(SystemExit):
        main([command[0], str(tmp_path / trained), "--to", ".", *command[1:]])
    assert message in capsys.readouterr().err


def test_a_reader_that_has_read_enough_is_no_error(trained, tmp_path):
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"history": ["i1", "i2"]}\n' * 5000)
    command = [Path(sys.executable).with_name("recbole-delta"), "recommend", trained, lines]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert json.loads(process.stdout.readline())["items"]
    process.stdout.close()
    assert b"Error" not in process.stderr.read()
    assert process.wait() == 0


@pytest.mark.parametrize(
    "described", [[1], {"text": 5}, {"text": {"encoder": "x"}}, {"pictures": {}}, {"text": None}]
)
def test_a_spoilt_record_of_the_content_is_refused(described):
    with pytest.raises(DeltaError, match="does not say how its content was made"):
        NewItems(items="new.csv").encode(described)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 is not JSON"),
        ("[1]", "line 1 must be like"),
        ('{"history": "i1"}', "line 1 must be like"),
        ('{"history": []}', "line 1: history must be a list of item ids, and not empty"),
        ('{"history": ["who"]}', "line 1: history: there is no item 'who'"),
        ("[" * 100_000, "line 1 is not JSON"),
    ],
)
def test_a_bad_line_is_named(trained, tmp_path, capsys, line, message):
    (tmp_path / "lines.jsonl").write_text(line)
    with pytest.raises(SystemExit):
        main(["recommend", trained, str(tmp_path / "lines.jsonl")])
    assert message in capsys.readouterr().err


def test_new_texts_are_encoded_as_the_old_ones(ml_100k, tmp_path, capsys):
    """An item that is there, added under another id by its text, gets the same row."""
    settings = {"data_path": str(ml_100k.parent), "checkpoint_dir": str(tmp_path / "saved"),
                "epochs": 1, "show_progress": False, "state": "ERROR", "hidden_size": 16}  # fmt: skip
    result = recbole_delta.run("SASRecDelta", ml_100k.name, settings=settings)
    items = pl.read_csv(ml_100k / f"{ml_100k.name}.item", separator="\t", infer_schema=False)
    items = items.rename({name: name.split(":")[0] for name in items.columns})
    cold = items.filter(pl.col("is_cold") == "1").head(3)
    again = cold.with_columns(item_id=pl.lit("again-") + pl.col("item_id"))
    again.write_csv(tmp_path / "new.csv")
    more = str(tmp_path / "more.safetensors")
    main(["add", result.checkpoint, "--to", more, "--items", str(tmp_path / "new.csv")])
    recommender = Recommender(more)
    row = {token: n for n, token in enumerate(recommender.known_items, 1)}
    weight = recommender._embedding.weight
    for token in cold["item_id"]:
        torch.testing.assert_close(
            weight[row[f"again-{token}"]], weight[row[token]], atol=1e-5, rtol=0
        )
    with pytest.raises(SystemExit):
        main(["add", result.checkpoint, "--to", more, "--vectors", str(tmp_path / "new.csv")])
    assert "described by text: new ones need --items FILE" in capsys.readouterr().err
