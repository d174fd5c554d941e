"""Benches over the tiny data set."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.benches import REPORT, done_here, write_bench

import recbole_delta.bench.bench as bench_module
from recbole_delta.bench.bench import bench
from recbole_delta.bench.plan.plan import read_plan


@pytest.fixture
def plan(tiny, tmp_path):
    """plan(**changes): a bench file over the tiny data set."""
    tiny.write(tmp_path / "dataset")

    def plan(folder="bench", **changes) -> Path:
        return write_bench(tmp_path / folder, **changes)

    return plan


@pytest.fixture(scope="session")
def benched(tiny, tmp_path_factory) -> Path:
    """The folder of a bench, done run after run in this process; only to be read."""
    folder = tmp_path_factory.mktemp("benched")
    tiny.write(folder / "dataset")
    path = write_bench(folder / "bench", report=REPORT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_module, "in_order_of_completion", done_here)
        bench(path, data_path=folder / "dataset")
    return path.parent


@pytest.fixture
def in_process(monkeypatch):
    """Runs of a bench are done in this process: for tests of what is made of their records."""
    monkeypatch.setattr(bench_module, "in_order_of_completion", done_here)


@pytest.fixture
def lay_down(benched):
    """lay_down(path): the bench file at ``path`` finds its runs done, as ``benched`` has done them."""

    def lay_down(path: Path) -> Path:
        plan = read_plan(path)
        for spec in plan.specs:
            theirs, here = (plan.record_folder(spec, out) for out in (benched, path.parent))
            shutil.copytree(theirs, here, dirs_exist_ok=True)
            shutil.copy(theirs.parent / "cases.npz", here.parent)
        return path

    return lay_down
