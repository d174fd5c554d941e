"""Runs in processes that are killed, and on a Dask cluster, leave what one process leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
from support.benches import MODELS, REPORT

from dataset_prep.errors import DeltaError
from recbole_delta.bench.bench import bench
from recbole_delta.bench.runs.engine import Outcome


def lasting(folder: Path) -> dict[str, bytes]:
    """All that has to repeat: records but for their times, and the figures of the report."""
    kinds = ("record.json", "*.npz", "tables/*", "figures/*")
    files = [file for kind in kinds for file in folder.rglob(kind)]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


@pytest.mark.slow
@pytest.mark.subprocess
def test_two_workers_and_a_kill_leave_what_one_worker_leaves(plan, benched, tmp_path):
    path = plan("killed", report=REPORT)
    command = [Path(sys.executable).with_name("recbole-delta"), "bench", path, "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (done := sorted(tmp_path.glob("killed/records/*/*/record.json"))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    # They go when they see that it has gone.
    _, left = psutil.wait_procs(children, timeout=30)
    assert not left
    done = sorted(tmp_path.glob("killed/records/*/*/record.json"))
    before = {file: file.stat().st_mtime_ns for file in done}
    bench(path, workers=2)
    assert {file: file.stat().st_mtime_ns for file in done} == before
    first, second = lasting(benched), lasting(tmp_path / "killed")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    # Four runs: `ours` with .5 is that of `default`.
    assert sum(name.endswith("record.json") for name in first) == 4
    assert not any(each.is_dir() for each in tmp_path.glob("killed/work/*"))


@pytest.mark.slow
@pytest.mark.subprocess
def test_a_dask_cluster_does_the_same_runs(plan, lay_down, tmp_path):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    small = {"models": {"default": {**MODELS["default"], "seeds": [1]}}}
    bench(lay_down(plan("here", **small)))
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        bench(plan("there", **small), cluster=cluster.scheduler_address)
    assert lasting(tmp_path / "here") == lasting(tmp_path / "there")


def test_a_cluster_that_is_not_there_is_refused(plan, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    impatient = partial(distributed.Client, timeout=1)
    monkeypatch.setattr(distributed, "Client", lambda address, timeout: impatient(address))
    with pytest.raises(DeltaError, match="no Dask scheduler at"):
        bench(plan(models={"content": MODELS["content"]}), cluster="tcp://127.0.0.1:9")


def test_a_run_that_failed_says_what_went_wrong_first():
    """What fails in the wake of it, such as a log whose folder is gone, is printed after it."""
    output = """Exception ignored
Traceback (most recent call last):
  File "one.py", line 1, in main
    perform(task)
NotImplementedError: no scores
Traceback (most recent call last):
  File "log.py", line 2
FileNotFoundError: events.out
"""
    assert Outcome(1, output).reason == "NotImplementedError: no scores"
    assert Outcome(2, "warning\nerror: core is 0.\n").reason == "core is 0."
    assert Outcome(-9, output).reason == "killed by signal 9"
