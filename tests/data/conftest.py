"""The made-up shop of support.shop, afresh for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.shop import write_shop


@pytest.fixture(scope="session")
def encoded(tmp_path_factory) -> Path:
    """Cache of the shop's encoded texts, so that the text model is loaded once."""
    return tmp_path_factory.mktemp("encoded")


@pytest.fixture
def data(tmp_path, encoded) -> Path:
    """A folder of data sets with the shop in it."""
    write_shop(tmp_path / "dataset" / "shop")
    (tmp_path / "dataset" / ".content").symlink_to(encoded)
    return tmp_path / "dataset"
