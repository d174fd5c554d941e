"""What a checkpoint says about its run."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from recbole_delta import __version__
from recbole_delta.seam.config import NEVER
from recbole_delta.seam.dataset import ColdWarmDataset


def run_settings(config: Any) -> dict[str, Any]:
    """The settings that differ from the defaults, enough to build the same Config again."""
    # Not resolve(): the name of a linked folder is the name of the data set.
    folder = Path(config["data_path"]).absolute().parent
    named = {"model": config["model"], "dataset": config["dataset"], "data_path": str(folder)}
    given = {k: v for k, v in config.external_config_dict.items() if v != NEVER}
    if given.get("content_file"):
        named["content_file"] = str(Path(given["content_file"]).resolve())
    return {**given, **named}


def versions() -> dict[str, str]:
    """Of this package and of what a run's numbers depend on."""
    others = ("recbole", "torch", "numpy", "pandas", "scikit-learn")
    return {"recbole_delta": __version__} | {name: version(name) for name in others}


def item_fingerprint(dataset: ColdWarmDataset) -> str:
    """SHA-256 of the item tokens in the order of their ids."""
    return hashlib.sha256("\n".join(dataset.item_tokens).encode()).hexdigest()
