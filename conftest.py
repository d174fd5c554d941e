"""What tests and examples share: an example in a docstring runs in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from recbole_delta.compute import modules


@pytest.fixture(autouse=True)
def _folder_of_a_doctest(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RecBole writes logs and checkpoints into the working directory."""
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one imports for its runs is none of the next one's: its file is gone."""
    monkeypatch.setattr(modules, "_imported", {})
