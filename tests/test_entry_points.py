"""Every way to start a run trains the same model to the same numbers."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml
from conftest import SMALL
from recbole.quick_start import run_recbole
from recbole.utils import get_model, get_trainer

import recbole_delta
from dataset_prep.__main__ import main as prepare
from dataset_prep.errors import DeltaError
from recbole_delta.cli.main import main
from recbole_delta.cli.train import parse_arguments
from recbole_delta.config.run_config import RunConfig

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture
def settings(tiny, tmp_path):
    tiny.write(tmp_path / "dataset")
    return {
        "model": "SASRecDelta",
        "dataset": "tiny",
        "data_path": str(tmp_path / "dataset"),
        "checkpoint_dir": str(tmp_path / "saved"),
        "MAX_ITEM_LIST_LENGTH": 8,
        "train_batch_size": 16,
        "learning_rate": 2e-3,
        "epochs": 2,
        "show_progress": False,
        "state": "ERROR",
        **SMALL,
    }


def last_json(text):
    return json.loads(text.strip().splitlines()[-1])["test_result"]


def test_all_entry_points_give_the_same_numbers(settings, tmp_path, capsys, monkeypatch):
    expected = recbole_delta.run(settings=settings).test_result

    whole = tmp_path / "whole.yaml"
    whole.write_text(yaml.safe_dump(settings))
    main([str(whole)])
    assert last_json(capsys.readouterr().out) == expected

    rest = {k: v for k, v in settings.items() if k not in ("model", "dataset", "epochs")}
    part = tmp_path / "part.yaml"
    part.write_text(yaml.safe_dump(rest))
    command = ["--model=SASRecDelta", "--dataset=tiny", f"--config_files={part}", "--epochs=2"]
    script = [sys.executable, str(CHECKOUT / "run_recbole_delta.py"), *command]
    printed = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    assert last_json(printed) == pytest.approx(expected, abs=1e-12)

    monkeypatch.setattr(sys, "argv", ["anything"])
    theirs = run_recbole(
        "SASRecDelta", "tiny", config_file_list=[str(part)], config_dict={"epochs": 2}
    )
    assert dict(theirs["test_result"]) == expected
    nothing = run_recbole(config_file_list=[str(whole)])
    assert dict(nothing["test_result"]) == expected


def test_the_console_script_is_the_same_command():
    commands = entry_points(group="console_scripts", name="recbole-delta")
    assert {command.load() for command in commands} == {main}


@pytest.mark.parametrize("name", ["SASRecDelta", "GRU4RecDelta", "ContentMean"])
def test_recbole_finds_our_models_and_trainers(name):
    model = get_model(name)
    assert model.__name__ == name
    assert get_trainer(model.type, name).__module__.startswith("recbole_delta.trainer.")


def test_recboles_own_models_still_run_under_recbole(tiny, tmp_path, monkeypatch):
    """The stock trainer reloads the checkpoint it has just pickled."""
    monkeypatch.setattr(sys, "argv", ["anything"])
    rows = tiny.rows.assign(split="train")
    tiny.replace(rows=rows).write(tmp_path / "dataset")
    config = {"data_path": str(tmp_path / "dataset"), "epochs": 1, "train_neg_sample_args": None,
              "load_col": {"inter": ["user_id", "item_id", "timestamp"]}, "state": "ERROR",
              "show_progress": False}  # fmt: skip
    result = run_recbole("GRU4Rec", "tiny", config_dict=config)
    assert set(result["test_result"]) >= {"ndcg@10", "recall@10"}


def test_recboles_pickled_caches_are_not_read(settings, tmp_path, monkeypatch):
    """A file where RecBole looks for a cached data set or loaders is not unpickled."""
    monkeypatch.setattr(sys, "argv", ["anything"])
    trap = tmp_path / "trap"

    class Trap:
        def __reduce__(self):
            return Path.touch, (trap,)

    (tmp_path / "saved").mkdir()
    for name in ("tiny-ColdWarmDataset.pth", "tiny-for-SASRecDelta-dataloader.pth"):
        (tmp_path / "saved" / name).write_bytes(pickle.dumps(Trap()))
    run_recbole(config_dict=settings)
    recbole_delta.run(settings=settings)
    assert not trap.exists()


def test_early_stopping_takes_no_tie_for_an_improvement(tiny, train):
    """With nothing learnt every evaluation ties: the paper's patience 5 is stopping_step 4."""
    result, _ = train(tiny, epochs=50, learning_rate=0.0, stopping_step=4)
    assert len(result.curve) == 1 + 5


def test_values_on_the_command_line_are_yaml_never_code(tmp_path):
    trap = tmp_path / "trap"
    code = f"__import__('pathlib').Path({str(trap)!r}).touch()"
    files, settings = parse_arguments(
        ["a.yaml", "--topk=[5,10]", "--learning_rate=1e-3", "--n=7", "--x=None", "--b=true",
         f"--checkpoint_dir={code}", "--config_files=b.yaml c.yaml"]
    )  # fmt: skip
    assert files == ["a.yaml", "b.yaml", "c.yaml"]
    assert settings == {"topk": [5, 10], "learning_rate": 1e-3, "n": 7, "x": None, "b": True,
                        "checkpoint_dir": code}  # fmt: skip
    RunConfig("SASRecDelta", "tiny", config_dict={"checkpoint_dir": code})
    assert not trap.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--model=SASRecDelta", "--dataset=tiny", "--learning_rate={code}"],
        ["--model=SASRecDelta", "--dataset=tiny", "--topk=!!python/object/apply:os.mkdir [trap]"],
        ["--model={code}", "--dataset=tiny"],
        ["--model=SASRecDelta", "--dataset={code}"],
    ],
)
def test_no_command_evaluates_a_setting(arguments, tmp_path):
    code = "__import__('os').mkdir('trap')"
    with pytest.raises(SystemExit) as stop:
        main([each.format(code=code) for each in arguments])
    assert stop.value.code == 2
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize("option", ["--set=interactions", "--above=rating", "--template", "--name"])
def test_dataset_prep_evaluates_no_option(option, tmp_path):
    code = "__import__('os').mkdir('trap')"
    arguments = ["table", "--raw", str(tmp_path), "--set=items=x.csv", f"{option}={code}"]
    with pytest.raises(SystemExit) as stop:
        prepare(arguments)
    assert stop.value.code == 2
    assert not (tmp_path / "trap").exists()


def test_a_data_set_may_be_named_by_a_number():
    assert parse_arguments(["--dataset=2024"]) == ([], {"dataset": "2024"})


def test_a_backbone_of_ones_own_is_registered(tiny, train):
    """Outside the package, with the defaults of the RecBole class that it extends."""
    from recbole.model.sequential_recommender.gru4rec import GRU4Rec

    from recbole_delta.model.backbone import ContentBackbone

    class MyGRU(ContentBackbone, GRU4Rec):
        causal = True

        def __init__(self, config, dataset):
            super().__init__(config, dataset)
            self.gate = config["my_gate"]

    recbole_delta.register(MyGRU, {"my_gate": 1})
    theirs, (config, model, *_) = train(
        tiny, "MyGRU", **SMALL, num_layers=1, my_gate=2, dropout_prob=0.0
    )
    ours, _ = train(tiny, "GRU4RecDelta", dropout_prob=0.0)
    assert isinstance(model, MyGRU)
    assert model.gate == 2
    assert config["loss_type"] == "CE"
    assert theirs.test_result == pytest.approx(ours.test_result)


@pytest.mark.parametrize("backbone", ["SASRec", "SASRecDleta"])
def test_the_demo_takes_our_backbones_only(backbone, capsys):
    with pytest.raises(SystemExit):
        main(["demo", "--backbone", backbone])
    assert "invalid choice" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--epochs"], ["--epochs=1", "--epochs=2"], ["--x={"]])
def test_a_command_line_that_makes_no_sense_is_refused(arguments):
    with pytest.raises(DeltaError):
        parse_arguments(arguments)


def test_an_error_is_one_sentence_and_exit_code_2(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--model=SASRecDleta", "--dataset=x"])
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "error: Unknown model 'SASRecDleta'; did you mean SASRecDelta or SASRec or SASRecF?\n"
    )
