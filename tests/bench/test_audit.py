"""An audit of a bench that was run, as it is typed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from support.benches import REPORT, write_bench

from recbole_delta.audit.audit import audit_bench
from recbole_delta.bench.bench import bench
from recbole_delta.bench.records.record import Record
from recbole_delta.cli.main import main
from recbole_delta.embedding import EMBEDDINGS
from recbole_delta.embedding.delta import DeltaEmbedding

pytestmark = [pytest.mark.slow, pytest.mark.subprocess]


def test_a_record_says_what_was_trained_and_what_is_recommended(benched):
    for path in benched.rglob("record.json"):
        record = Record.read(path.parent)
        n_warm, n_cases = len(record.cases.item_train_count), len(record.cases.user)
        assert record.facts["softmax_items"] == n_warm
        assert record.recommended.sum() == 10 * (n_cases - record.mode["empty_history"]["total"])
        # A target that is among the first ten for certain has been recommended.
        certain = record.ranks.above + record.ranks.tied < 10
        hits = np.unique(record.cases.target[certain]).size
        assert hits <= (record.recommended > 0).sum() <= 48


def test_file_and_folder_of_a_bench_are_audited_alike(benched, capsys, tmp_path):
    options = ["--data_path", str(benched.parent / "dataset"), "--json", str(tmp_path / "a.json")]
    shown, written = [], []
    for path in (benched / "try.yaml", benched / "try"):
        main(["audit", str(path), *options])
        shown.append(capsys.readouterr().out)
        written.append(json.loads((tmp_path / "a.json").read_text()))
    assert shown[0] == shown[1]
    assert written[0] == written[1]
    [audit] = written[0]
    checks = {finding["check"] for finding in audit["findings"]}
    # "ours" has one seed and two values of delta_max, "default" has two seeds and one value; two
    # epochs end no training early.
    assert {"unequal seeds", "unequal tuning", "training cut off"} <= checks
    assert not {"softmax unknown", "coverage unknown", "missing runs"} & checks
    assert "0 faults, " in shown[0]
    assert audit["rows"]["default"]["seeds"] == 2
    tried = {label: row["settings tried"] for label, row in audit["rows"].items()}
    assert tried == {"content": 1, "ours, delta_max 0.3": 2, "ours, delta_max 0.5": 2, "default": 1}
    for row in audit["rows"].values():
        assert 0 < row["coverage@10 warm"] <= 1
        assert 0 < row["coverage@10 cold"] <= 1


def test_the_folder_of_a_yml_file_is_audited(benched, lay_down, plan, capsys):
    path = lay_down(plan())
    path = path.rename(path.with_suffix(".yml"))
    path.with_suffix("").mkdir(exist_ok=True)
    main(["audit", str(path.with_suffix("")), "--data_path", str(benched.parent / "dataset")])
    assert "0 faults, " in capsys.readouterr().out


def test_a_run_without_a_record_is_missing(benched, lay_down, plan, tmp_path):
    models = {"content": {"model": "ContentMean", "seeds": [1]}}
    path = lay_down(plan(models=models))
    more = {**models, "more": {"model": "ContentMean", "embedding_size": 8, "seeds": [1]}}
    write_bench(path.parent, models=more, report={})
    [audit] = audit_bench(path, data_path=tmp_path / "dataset")
    [missing] = [each for each in audit.findings if each.check == "missing runs"]
    assert (missing.number, missing.examples) == (1, ("more",))


def test_a_search_that_is_not_done_is_said(benched, lay_down, plan, tmp_path):
    models = {
        "content": {"model": "ContentMean", "seeds": [1]},
        "tuned": {"model": "SASRecDelta", "search": {"delta_max": [0.3, 0.9]}},
    }
    path = plan(models=models)
    lay_down(path)
    [audit] = audit_bench(path, data_path=tmp_path / "dataset")
    [found] = [each for each in audit.findings if each.check == "searches not done"]
    assert (found.number, found.examples) == (1, ("tuned",))


class AllAreTrained(DeltaEmbedding):
    """A leak: cold items stand in the softmax, as negatives only."""

    def trained_rows(self):
        return self.all_rows()


def test_a_model_with_cold_items_in_its_softmax_is_a_fault(
    plan, in_process, monkeypatch, tiny, tmp_path
):
    leaking = replace(EMBEDDINGS["delta"], make=lambda args: leak(EMBEDDINGS["delta"].make(args)))
    monkeypatch.setitem(EMBEDDINGS, "leaking", leaking)
    models = {
        "fine": {"model": "SASRecDelta", "seeds": [1]},
        "leaking": {"model": "SASRecDelta", "item_embedding": "leaking", "seeds": [1]},
    }
    path = plan(models=models, report={})
    bench(path, data_path=tmp_path / "dataset")
    [audit] = audit_bench(path, data_path=tmp_path / "dataset")
    [fault] = [each for each in audit.findings if each.severity == "fault"]
    n_cold = (tiny.items["is_cold"] == "1").sum()
    assert (fault.check, fault.number) == ("cold items in the training softmax", n_cold)
    assert fault.examples == ("leaking",)


def leak(embedding):
    embedding.__class__ = AllAreTrained
    return embedding


def test_a_data_set_without_any_record_is_missing(benched, lay_down, plan, tiny, tmp_path):
    models = {"content": {"model": "ContentMean", "seeds": [1]}}
    path = lay_down(plan(models=models))
    tiny.write(tmp_path / "dataset", "other")
    write_bench(path.parent, models=models, report={}, datasets=["tiny", "other"])
    _, other = audit_bench(path, data_path=tmp_path / "dataset")
    assert [each.sentence for each in other.findings] == ["No run on other has a record."]
    report = bench(path, data_path=tmp_path / "dataset", train=False) / "report.md"
    assert "the rows below say which, and none is done on other." in report.read_text()


def test_a_bench_without_records_is_refused(plan, capsys, tmp_path):
    path = plan(report=REPORT)
    with pytest.raises(SystemExit) as stop:
        main(["audit", str(path), "--data_path", str(tmp_path / "dataset")])
    assert stop.value.code == 2
    assert "has no record yet" in capsys.readouterr().err
