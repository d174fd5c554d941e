"""``recbole-delta audit`` of a data set: what is printed, and its exit code."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from recbole_delta.cli.main import main


def test_a_fault_ends_with_exit_code_1(tiny, tmp_path, capsys):
    main(["audit", str(tiny.write(tmp_path / "dataset"))])
    assert "0 faults" in capsys.readouterr().out
    main(["audit", "tiny", "--data_path", str(tmp_path / "dataset")])  # by its name, as in RecBole
    assert "0 faults" in capsys.readouterr().out
    target = tiny.rows[tiny.rows["split"] == "valid"].head(1)
    leaky = tiny.replace(rows=pd.concat([tiny.rows, target.assign(split="train")]))
    with pytest.raises(SystemExit) as stop:
        main(["audit", str(leaky.write(tmp_path / "dataset")), "--json", "found.json"])
    assert stop.value.code == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "target in training" in shown
    [audit] = json.loads((tmp_path / "found.json").read_text())
    assert (audit["dataset"], audit["rows"]) == ("tiny", None)
    worst = audit["findings"][0]
    assert (worst["severity"], worst["number"]) == ("fault", 1)
    assert f"user {target['user_id'].item()}, item" in worst["examples"][0]


def test_what_is_neither_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["audit", str(tmp_path / "nothing")])
    assert stop.value.code == 2
    assert "nothing is no prepared data set" in capsys.readouterr().err


def test_this_folder_is_audited_whatever_it_is(tiny, tmp_path, capsys, monkeypatch):
    folder = tiny.write(tmp_path / "dataset")
    monkeypatch.chdir(folder)
    main(["audit", "."])
    assert "0 faults" in capsys.readouterr().out
    (tmp_path / "mine").mkdir()
    bench = "datasets: [tiny]\nmodels: {delta: {model: SASRecDelta}}\nseeds: [1]\n"
    (tmp_path / "mine.yaml").write_text(bench)
    monkeypatch.chdir(tmp_path / "mine")  # where the report of mine.yaml would lie
    with pytest.raises(SystemExit) as stop:
        main(["audit", ".", "--data_path", str(tmp_path / "dataset")])
    assert stop.value.code == 2
    assert "has no record yet" in capsys.readouterr().err
