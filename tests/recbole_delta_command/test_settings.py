"""Settings are typed as in RecBole."""

from __future__ import annotations

import pytest

from recbole_delta_command.refusal import UsageError
from recbole_delta_command.settings import read_run


@pytest.mark.parametrize(
    "arguments",
    [
        ["my.yaml", "--model=SASRecDelta", "--dataset=2024", "--config_files=b.yaml c.yaml"],
        ["-m", "SASRecDelta", "my.yaml", "-d", "2024", "--config_files", "b.yaml c.yaml"],
        ["--model", "SASRecDelta", "--dataset", "2024", "my.yaml", "b.yaml", "c.yaml"],
    ],
)
def test_names_and_files_may_be_typed_in_several_ways(arguments):
    given = read_run(arguments)
    assert given.files == ["my.yaml", "b.yaml", "c.yaml"]
    assert given.settings == {"model": "SASRecDelta", "dataset": "2024"}


def test_modules_may_be_several():
    assert read_run(["--import", "one", "--import=two.three"]).modules == ["one", "two.three"]


@pytest.mark.parametrize(
    "arguments",
    [["--epochs"], ["--epochs=1", "--epochs=2"], ["-m", "a", "--model=b"], ["-m"]],
)
def test_a_command_line_that_makes_no_sense_is_refused(arguments):
    with pytest.raises(UsageError):
        read_run(arguments)
