"""``recbole-delta bench``: every run once, whatever happens in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import ndcg_score

from dataset_prep.errors import DeltaError
from recbole_delta.bench.bench import bench
from recbole_delta.bench.plan import read_plan
from recbole_delta.bench.record import Record

SETTINGS = {"hidden_size": 16, "inner_size": 16, "embedding_size": 16, "MAX_ITEM_LIST_LENGTH": 8,
            "train_batch_size": 16, "epochs": 2}  # fmt: skip
MODELS = {
    "content": {"model": "ContentMean", "seeds": [1]},
    "ours": {"model": "SASRecDelta", "vary": {"delta_max": [0.3, 0.5]}, "seeds": [1]},
    "default": {"model": "SASRecDelta", "delta_max": 0.5},
}


@pytest.fixture
def plan(tiny, tmp_path):
    """plan(**changes): a bench file over the tiny data set."""
    tiny.write(tmp_path / "dataset")

    def plan(folder="bench", **changes) -> Path:
        asked = {"datasets": ["tiny"], "seeds": [1, 2], "settings": SETTINGS, "models": MODELS}
        path = tmp_path / folder / "try.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump({**asked, **changes}, sort_keys=False))
        return path

    return plan


def lasting(folder: Path) -> dict[str, bytes]:
    """All that has to repeat: records but for their times, and the figures of the report."""
    kinds = ("record.json", "*.npz", "tables/*", "figures/*")
    files = [file for kind in kinds for file in folder.rglob(kind)]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_two_workers_and_a_kill_leave_what_one_worker_leaves(plan, tmp_path):
    report = {"reference": "default", "baseline": "content"}
    bench(plan("one", report=report))
    path = plan("killed", report=report)
    command = [Path(sys.executable).with_name("recbole-delta"), "bench", path, "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (done := sorted(tmp_path.glob("killed/records/*/*/record.json"))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1)  # its children go when they see that it has gone
    done = sorted(tmp_path.glob("killed/records/*/*/record.json"))
    before = {file: file.stat().st_mtime_ns for file in done}
    bench(path, workers=2)
    assert {file: file.stat().st_mtime_ns for file in done} == before
    first, second = lasting(tmp_path / "one"), lasting(tmp_path / "killed")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    # Four runs: `ours` with .5 is that of `default`.
    assert sum(name.endswith("record.json") for name in first) == 4
    assert not list(tmp_path.glob("killed/work/*/"))


def test_every_figure_follows_from_the_stored_ranks(plan, tmp_path):
    """By scikit-learn's NDCG, which averages over ties as well, and a count for Hit."""
    out = bench(plan(models={k: MODELS[k] for k in ("content", "default")}))
    table = pd.read_csv(out / "tables" / "tiny.csv")
    assert len(table) == 3 * 2 * 3
    for folder in {file.parent for file in tmp_path.rglob("record.json")}:
        record = Record.read(folder)
        ranks, cold = record.ranks, record.cases.is_cold
        # The target among 40 others: those above it, those tied with it, the rest below.
        place = np.arange(40)
        above = np.minimum(ranks.above, 20)[:, None]
        others = np.where(place < above, 2.0, np.where(place < above + ranks.tied[:, None], 1.0, 0))
        scores = np.c_[np.ones(len(cold)), others]
        relevant = np.zeros_like(scores)
        relevant[:, 0] = 1
        ndcg = np.array([ndcg_score([r], [s], k=10) for r, s in zip(relevant, scores)])
        hit = np.clip((10 - ranks.above) / (ranks.tied + 1), 0, 1)
        facts = record.facts
        row = table[(table["model"] == facts["model"]) & (table["seed"] == facts["seed"])]
        for group, mask in (("cold", cold), ("warm", ~cold), ("total", cold | ~cold)):
            for metric, values in (("ndcg@10", ndcg), ("hit@10", hit)):
                [value] = row.loc[(row["metric"] == metric) & (row["group"] == group), "value"]
                assert value == pytest.approx(values[mask].mean(), abs=1e-9), (group, metric)


def test_a_failed_run_stops_no_other_and_is_tried_again(plan, tmp_path):
    models = {"bad": {"model": "SASRecDelta", "n_heads": 3}, "content": MODELS["content"]}
    path = plan(models=models, seeds=[1])
    for _ in range(2):
        with pytest.raises(
            DeltaError, match=r"1 of 2 runs failed, first bad, tiny, seed 1: .*failed"
        ):
            bench(path)
        [log] = tmp_path.glob("bench/failed/*.log")
        assert "Traceback" not in log.read_text()
    report = (tmp_path / "bench" / "try" / "report.md").read_text()
    assert "1 of 2 runs are missing" in report
    assert "bad: not run with seed 1" in report
    assert "not run" in next(line for line in report.splitlines() if line.startswith("| bad"))


def test_a_changed_data_set_is_run_anew(plan, tiny, tmp_path):
    path = plan(models={"content": MODELS["content"]})
    bench(path)
    tiny.replace(rows=tiny.rows.iloc[:-1]).write(tmp_path / "dataset")
    bench(path)
    assert len(list(tmp_path.glob("bench/records/*/*/record.json"))) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modles": {}}, "no option 'modles'"),
        ({"models": {"x": {"item_embedding": "id"}}}, "x must say its model"),
        ({"models": {"x": {"model": "SASRecDelta", "delta_mx": 1}}}, "x: .*did you mean 'delta_max'"),
        ({"models": {"x": {"model": "SASRecDelta", "delta_max": -1}}}, "x: delta_max must be"),
        ({"models": {"x": {"model": "SASRecDleta"}}}, "x: Unknown model"),
        ({"models": {"x": {"model": "SASRecDelta", "vary": {"delta_max": 1}}}}, "must hold lists"),
        ({"models": {}}, "models must hold"),
        ({"datasets": ["other"]}, "no .*other.inter; prepare"),
        ({"datasets": ["../tiny"]}, "is no name"),
        ({"datasets": [".."]}, "is no name"),
        ({"datasets": [""]}, "is no name"),
        ({"data_path": "x" * 300}, "Cannot read .*File name too long"),
        ({"seeds": 5}, "seeds must be a list"),
        ({"seeds": [-5]}, "seed must be from 0"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"report": {"metrics": ["ndgc@10"]}}, "metrics are such as ndcg@10"),
        ({"report": {"reference": "nobody"}}, "reference 'nobody' is none of"),
    ],
)  # fmt: skip
def test_a_bench_file_is_checked_before_anything_runs(plan, tmp_path, change, message):
    with pytest.raises(DeltaError, match=message) as error:
        bench(plan(**change))
    assert "try.yaml: " in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "bench" / "records").exists()


def test_a_bench_file_is_never_code(plan, tmp_path):
    path = plan()
    path.write_text(path.read_text() + "notes: !!python/object/apply:os.mkdir [pwned]\n")
    with pytest.raises(DeltaError, match="try.yaml is not YAML: could not determine a constructor"):
        bench(path)
    assert not (tmp_path / "pwned").exists()


def test_a_plan_does_the_first_seed_of_every_row_first(plan, tmp_path):
    specs = read_plan(plan()).specs
    assert [(s.label, s.seed) for s in specs] == [
        ("content", 1), ("ours, delta_max 0.3", 1), ("ours, delta_max 0.5", 1), ("default", 1),
        ("default", 2),
    ]  # fmt: skip


def test_a_spoilt_record_is_named(plan, tmp_path):
    path = plan(models={"content": MODELS["content"]})
    bench(path)
    [file] = tmp_path.rglob("record.json")
    file.write_text(json.dumps({"modes": []}))
    with pytest.raises(DeltaError, match="not a whole record"):
        bench(path)


def without(name):
    return lambda facts: facts.pop(name)


@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        ("record.json", without("curve")),
        ("record.json", without("settings")),
        ("record.json", lambda facts: facts.update(revision=[])),
        ("record.json", lambda facts: facts["modes"][0]["metrics"].update({"ndcg@10": "much"})),
        ("record.json", lambda facts: facts["modes"][0].update(cases=None)),
        ("measured.json", without("peak_gib")),
        ("measured.json", lambda facts: facts.update(seconds=[])),
    ],
)
def test_a_record_that_lacks_what_the_report_reads(plan, tmp_path, file, spoil):
    path = plan(models={"content": MODELS["content"]})
    bench(path)
    [found] = tmp_path.rglob(file)
    facts = json.loads(found.read_text())
    spoil(facts)
    found.write_text(json.dumps(facts))
    with pytest.raises(DeltaError, match="not a whole record"):
        bench(path, train=False)


def test_ranks_and_cases_of_something_else(plan, tmp_path):
    path = plan(models={"content": MODELS["content"]})
    bench(path)
    for name, key, spoilt in (
        ("ranks.npz", "above", lambda array: array[:, :-1]),
        ("ranks.npz", "tied", lambda array: array.astype(float)),
        ("cases.npz", "user", lambda array: array[:-1]),
    ):
        [file] = tmp_path.rglob(name)
        good = file.read_bytes()
        with np.load(file) as arrays:
            np.savez_compressed(file, **{**arrays, key: spoilt(arrays[key])})
        with pytest.raises(DeltaError, match=f"{name} does not hold the {key} of its run"):
            bench(path, train=False)
        file.write_bytes(good)
    bench(path, train=False)


def test_a_dask_cluster_does_the_same_runs(plan, tmp_path):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    small = {"models": {"ours": {"model": "SASRecDelta", "seeds": [1]}}}
    bench(plan("here", **small))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        bench(plan("there", **small), cluster=cluster.scheduler_address)
    assert lasting(tmp_path / "here") == lasting(tmp_path / "there")


def test_a_cluster_that_is_not_there_is_refused(plan):
    pytest.importorskip("distributed", reason="Dask is not installed")
    with pytest.raises(DeltaError, match="no Dask scheduler at"):
        bench(plan(models={"content": MODELS["content"]}), cluster="tcp://127.0.0.1:9")
