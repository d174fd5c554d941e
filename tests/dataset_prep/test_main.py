"""The command ``python -m dataset_prep``."""

from __future__ import annotations

import json

import pytest

from dataset_prep.__main__ import main


@pytest.mark.parametrize("option", ["--set=interactions", "--above=rating", "--template", "--name"])
def test_dataset_prep_evaluates_no_option(option, tmp_path):
    code = "__import__('os').mkdir('trap')"
    arguments = ["table", "--raw", str(tmp_path), "--set=items=x.csv", f"{option}={code}"]
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert not (tmp_path / "trap").exists()


@pytest.mark.slow
def test_the_command(tmp_path, capsys, ml_100k):
    arguments = ["ml-100k", "--out", str(ml_100k.parent), "--name", "again", "--core", "5"]
    main([*arguments, "--cold", "newest", "--cold-fraction", "0.1", "--seed", "7"])
    assert "Prepared" in capsys.readouterr().out
    record = json.loads((ml_100k.parent / "again" / "again.json").read_text())
    assert record["protocol_options"] == {"seed": 7, "cold": "newest", "fraction": 0.1}
    with pytest.raises(SystemExit) as stop:
        main(["ml-100k", "--out", str(tmp_path), "--name", "ml-100k"])
    assert stop.value.code == 2
    assert "must not be ml-100k" in capsys.readouterr().err


def test_a_sentence_ends_in_one_full_stop(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["table", "--raw", str(tmp_path), "--above", "rating"])
    assert capsys.readouterr().err.endswith("'rating' should be NAME=VALUE.\n")
