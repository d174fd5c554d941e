"""The commands that recommend from a checkpoint and change its items."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import torch
from support.served import content_of

import recbole_delta
from dataset_prep.format.content import write_content
from recbole_delta import Recommender
from recbole_delta.cli.main import main

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


@pytest.mark.slow
@pytest.mark.subprocess
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


@pytest.mark.slow
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
