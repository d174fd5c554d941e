"""Records that are not whole are named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.benches import MODELS

from dataset_prep.errors import DeltaError
from recbole_delta.bench.bench import bench

pytestmark = [pytest.mark.slow, pytest.mark.subprocess]


def test_a_spoilt_record_is_named(plan, lay_down, tmp_path):
    path = lay_down(plan(models={"content": MODELS["content"]}))
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
def test_a_record_that_lacks_what_the_report_reads(plan, lay_down, tmp_path, file, spoil):
    path = lay_down(plan(models={"content": MODELS["content"]}))
    [found] = tmp_path.rglob(file)
    facts = json.loads(found.read_text())
    spoil(facts)
    found.write_text(json.dumps(facts))
    with pytest.raises(DeltaError, match="not a whole record"):
        bench(path, train=False)


def test_there_is_no_report_on_nothing(plan, tmp_path):
    path = plan(models={"content": MODELS["content"]})
    with pytest.raises(DeltaError, match=r"none of its runs has a record.*--report-only"):
        bench(path, train=False)
    assert not [*tmp_path.rglob("report.*")]


def test_ranks_and_cases_of_something_else(plan, lay_down, tmp_path):
    path = lay_down(plan(models={"content": MODELS["content"]}))
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
