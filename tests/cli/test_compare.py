"""The commands that compare models."""

from __future__ import annotations

import pytest

from recbole_delta.cli.main import main


@pytest.mark.parametrize("backbone", ["SASRec", "SASRecDleta"])
def test_the_demo_takes_our_backbones_only(backbone, capsys):
    with pytest.raises(SystemExit):
        main(["demo", "--backbone", backbone])
    assert "--backbone must be one of SASRecDelta | " in capsys.readouterr().err
