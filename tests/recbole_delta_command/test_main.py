"""The command is quick to answer, and names what may have been meant."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest
from support.paths import CHECKOUT

from recbole_delta_command.main import COMMANDS, main
from recbole_delta_command.parsers import recommend, warm_up
from recbole_delta_command.settings import RESUME_USAGE


@pytest.mark.subprocess
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 0),
        (["--help"], 0),
        (["--version"], 0),
        (["my.yaml", "--help"], 0),
        (["recommend", "--help"], 0),
        (["recommend"], 2),
        (["recomend", "x"], 2),
        (["--epochs"], 2),
    ],
)
def test_neither_help_nor_a_refusal_waits_for_torch(arguments, code):
    said = (
        "import sys\n"
        f"sys.path.insert(0, {str(CHECKOUT)!r})\n"
        "from recbole_delta_command.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "    code = 0\n"
        "except SystemExit as stop:\n"
        "    code = stop.code or 0\n"
        "heavy = {'torch', 'recbole', 'recbole_delta', 'numpy', 'polars'} & set(sys.modules)\n"
        f"assert (code, heavy) == ({code}, set()), (code, heavy)\n"
    )
    subprocess.run([sys.executable, "-c", said], check=True, capture_output=True, text=True)


@pytest.mark.subprocess
def test_prep_is_dataset_prep_and_as_light(capsys):
    from dataset_prep.__main__ import main as prep

    for command in (prep, lambda given: main(["prep", *given])):
        with pytest.raises(SystemExit) as stop:
            command(["ml-100k", "--core", "many"])
        assert stop.value.code == 2
    first, second = capsys.readouterr().err.split("usage: ")[1:]
    assert first == second
    said = (
        "import sys\n"
        f"sys.path.insert(0, {str(CHECKOUT)!r})\n"
        "from recbole_delta_command.main import main\n"
        "try:\n"
        "    main(['prep', '--help'])\n"
        "finally:\n"
        "    assert 'torch' not in sys.modules\n"
    )
    shown = subprocess.run([sys.executable, "-c", said], check=True, capture_output=True, text=True)
    assert "--protocol" in shown.stdout


def test_help_begins_with_prep_and_names_every_command(capsys):
    main(["--help"])
    shown = capsys.readouterr().out
    assert shown.startswith("recbole-delta prep ")
    assert all(f"recbole-delta {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "prep"])
def test_every_command_has_a_help_of_its_own(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert not stop.value.code
    assert capsys.readouterr().out.startswith(f"usage: recbole-delta {name} ")


def test_the_version_is_that_of_the_package(capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"recbole-delta {version('recbole-delta')}\n"


def test_the_console_script_and_the_older_name_are_the_same_command():
    from recbole_delta.cli import main as older

    commands = entry_points(group="console_scripts", name="recbole-delta")
    assert {command.load() for command in commands} == {main}
    assert older is main


@pytest.mark.parametrize(
    "arguments",
    [
        ["today.safetensors", "-k", "2", "log.jsonl"],
        ["-k", "2", "today.safetensors", "log.jsonl"],
        ["today.safetensors", "log.jsonl", "-k", "2"],
        ["today.safetensors", "--seen", "log.jsonl", "-k", "2"],
    ],
)
def test_a_file_may_follow_an_option(arguments):
    given = recommend(arguments)
    assert (given.checkpoint, given.file, given.k) == ("today.safetensors", "log.jsonl", 2)


def test_a_file_may_follow_the_name_of_the_new_checkpoint():
    given = warm_up(["today.safetensors", "--to", "warm.safetensors", "log.jsonl"])
    assert (given.file, given.to) == ("log.jsonl", "warm.safetensors")
    assert warm_up(["today.safetensors", "--to", "warm.safetensors"]).file is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["recomend", "x"], "no command and no file 'recomend'; did you mean recommend?"),
        (["learn"], "no command and no file 'learn'; recbole-delta --help names the commands"),
        (["--modle=SASRec", "--dataset=x"], "no setting --modle; did you mean model?"),
        (["-m", "SASRec", "--datset=x"], "no setting --datset; did you mean dataset?"),
        (
            ["recommend", "x", "--colld-only"],
            "no argument '--colld-only'; did you mean --cold-only?",
        ),
        (["recommend", "x", "y", "z"], "has no argument 'z'; see recbole-delta recommend --help."),
        (["recommend", "x", "-k", "many"], "argument -k: invalid int value: 'many'; see"),
        (["export", "x"], "the following arguments are required: --to; see"),
        (["demo", "--cold", "old"], "invalid choice: 'old'"),
        (["resume"], "Say which checkpoint"),
        (["-x"], "There is no option -x; settings are written --NAME=VALUE."),
        (["\0.yaml"], r"\x00.yaml"),
        (["recommend", "\0"], r"\x00"),
        (["bench", "a\0\x1b[2Jb.yaml"], r"a\x00\x1b[2Jb.yaml"),
        (["recommend", "x", "--\0"], r"\x00"),
    ],
)
def test_a_refusal_is_one_sentence_and_says_what_was_meant(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    shown = capsys.readouterr()
    assert (stop.value.code, shown.out) == (2, "")
    assert shown.err.startswith("error: ")
    assert shown.err.endswith("\n")
    assert message in shown.err
    assert shown.err[:-1].isprintable()
    assert not shown.err.endswith("..\n")


def test_a_file_that_is_named_almost_as_a_command_is_a_file(capsys):
    Path("resumee").write_text("epochs: many")
    with pytest.raises(SystemExit):
        main(["resumee", "-m", "SASRecDelta", "-d", "none"])
    assert "epochs must be a whole number" in capsys.readouterr().err


def test_a_fault_of_the_system_is_one_line(capsys, monkeypatch):
    def full(arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recbole_delta_command.main._answer", full)
    with pytest.raises(SystemExit) as stopped:
        main(["recommend", "checkpoint"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "error: [Errno 28] No space left on device\n"


def test_the_help_of_resume_names_what_may_change():
    from recbole_delta.quick_start.run import RESUMABLE

    said = RESUME_USAGE.split("may change:")[1].replace(".", "").split(",")
    assert sorted(each.strip() for each in said) == sorted(RESUMABLE)
