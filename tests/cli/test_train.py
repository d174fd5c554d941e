"""The command that trains: its arguments are values and never code, its errors one sentence."""

from __future__ import annotations

import json

import pytest

from dataset_prep.errors import DeltaError
from recbole_delta.cli.main import main
from recbole_delta.cli.train import values
from recbole_delta.config.run_config import RunConfig
from recbole_delta_command.settings import read_run


@pytest.mark.parametrize(("mode", "n"), [("delta", 4), ("id", 1)])
def test_the_command_prints_each_different_mode_once(tiny, train, capsys, mode, n):
    result, _ = train(tiny, item_embedding=mode)
    arguments = {**result.settings, "show_progress": "false"}
    main([f"--{name}={value}" for name, value in arguments.items()])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("test, ") for line in lines) == n
    assert json.loads(lines[-1])["test_result"] == result.test_result


def test_values_on_the_command_line_are_yaml_never_code(tmp_path):
    trap = tmp_path / "trap"
    code = f"__import__('pathlib').Path({str(trap)!r}).touch()"
    given = read_run(["--topk=[5,10]", "--learning_rate=1e-3", "--n=7", "--x=None", "--b=true",
                      f"--checkpoint_dir={code}"])  # fmt: skip
    assert values(given) == {"topk": [5, 10], "learning_rate": 1e-3, "n": 7, "x": None, "b": True,
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


def test_a_data_set_may_be_named_by_a_number():
    assert values(read_run(["--dataset=2024"])) == {"dataset": "2024"}


def test_a_value_that_is_not_yaml_is_refused():
    with pytest.raises(DeltaError, match="is no YAML .* has quotes of its own"):
        values(read_run(["--x={"]))


def test_several_errors_are_a_line_each(capsys):
    with pytest.raises(SystemExit):
        main(["--model=SASRecDelta", "--dataset=x", "--epohcs=3", "--delta_max=-1"])
    first, *others = capsys.readouterr().err.strip().splitlines()
    assert first == "error: 2 things have to be changed:"
    assert ["epohcs" in others[0], "delta_max" in others[1], len(others)] == [True, True, 2]


def test_an_error_is_one_sentence_and_exit_code_2(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--model=SASRecDleta", "--dataset=x"])
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "error: Unknown model 'SASRecDleta'; did you mean SASRecDelta or SASRec or SASRecF?\n"
    )
