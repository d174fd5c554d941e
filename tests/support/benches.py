"""A small bench, and one way to write it down."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from recbole_delta.bench.runs.engine import Outcome
from recbole_delta.bench.runs.one import perform

SETTINGS = {"hidden_size": 16, "inner_size": 16, "embedding_size": 16, "MAX_ITEM_LIST_LENGTH": 8,
            "train_batch_size": 16, "epochs": 2}  # fmt: skip
MODELS = {
    "content": {"model": "ContentMean", "seeds": [1]},
    "ours": {"model": "SASRecDelta", "vary": {"delta_max": [0.3, 0.5]}, "seeds": [1]},
    "default": {"model": "SASRecDelta", "delta_max": 0.5},
}
REPORT = {"reference": "default", "baseline": "content"}


def write_bench(folder: Path, **changes: Any) -> Path:
    """The bench file ``try.yaml`` over the tiny data set."""
    asked = {"datasets": ["tiny"], "seeds": [1, 2], "settings": SETTINGS, "models": MODELS}
    folder.mkdir(exist_ok=True)
    path = folder / "try.yaml"
    path.write_text(yaml.safe_dump({**asked, **changes}, sort_keys=False))
    return path


def done_here(tasks, workers, cluster):
    """Runs of a bench one after the other in this process, in the place of the engine's."""
    here = Path.cwd()
    for position, task in enumerate(tasks):
        Path(task.work).mkdir(parents=True, exist_ok=True)
        os.chdir(task.work)
        try:
            perform(task)
        finally:
            os.chdir(here)
        yield position, Outcome(0, "")


def table_below(report: Path, heading: str) -> tuple[list[str], list[list[str]]]:
    """The first table below a heading of a report: its header, the first cell named ``source``."""
    below = report.read_text().split(heading, 1)[1]
    _, table, *_ = re.split(r"((?:^\|.*\n)+)", below, maxsplit=1, flags=re.M)
    (_, *names), _, *lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
    ]
    return ["source", *names], lines
