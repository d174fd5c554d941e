"""What a bench file may ask for, checked before anything runs."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from dataset_prep.errors import DeltaError
from recbole_delta.bench.bench import bench
from recbole_delta.bench.plan.plan import read_plan
from recbole_delta.config.settings import RECIPES

PUBLISHED = {"source": "Kang", "row": "default", "dataset": "tiny", "ndcg@10": 0.05}


VARIED = {"model": "SASRecDelta", "vary": {"delta_max": [0.3, 0.5]}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modles": {}}, "no option 'modles'"),
        ({"models": {"x": {"item_embedding": "id"}}}, "x must say its model"),
        ({"models": {"x": {"model": "SASRecDelta", "delta_mx": 1}}}, "x: .*did you mean 'delta_max'"),
        ({"models": {"x": {"model": "SASRecDelta", "delta_max": -1}}}, "x: delta_max must be"),
        ({"models": {"x": {"model": "SASRecDleta"}}}, "x: Unknown model"),
        ({"models": {"x": {"model": "Pop", "vary": {"seed": [1, 2]}}}}, "x: seed is .*under seeds"),
        ({"settings": {"nproc": 2}}, "nproc is no setting of a row: each run is one process"),
        ({"models": {"x": {"model": "SASRecDelta", "vary": {"delta_max": 1}}}}, "must hold lists"),
        ({"models": {"x": {"model": "SASRecDelta", "datasets": ["toni"]}}}, "x must be .* of tiny, but"),
        ({"models": {"x": {"model": "SASRecDelta", "datasets": "tiny"}}}, "x must be a list of some"),
        ({"models": {}}, "models must hold"),
        ({"datasets": ["other"]}, "no .*other.inter; prepare"),
        ({"datasets": ["../tiny"]}, "is no name"),
        ({"datasets": [".."]}, "is no name"),
        ({"datasets": [""]}, "must be one line of text"),
        ({"data_path": "x" * 300}, "Cannot read .*File name too long"),
        ({"seeds": 5}, "seeds must be a list"),
        ({"seeds": [-5]}, "seed must be from 0"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"report": {"metrics": ["ndgc@10"]}}, "metrics are such as ndcg@10"),
        ({"report": {"metrics": []}}, "metrics must be a list"),
        ({"report": {"metrics": "ndcg@10"}}, "metrics must be a list"),
        ({"report": {"metrics": ["ndcg@9999999"]}}, "topk must be at most"),
        ({"settings": {"valid_metric": "ndcg_wram@10"}}, "valid_metric: ndcg_wram@10 is not among"),
        ({"settings": {"metrics": ["ItemCoverage"]}}, "ItemCoverage has no cold/warm version"),
        ({"report": {"reference": "nobody"}}, "reference 'nobody' is none of"),
        ({"report": {"published": {"Kang": 0.05}}}, "published must be a list of entries"),
        ({"report": {"published": [{"source": "Kang", "ndcg@10": 0.05}]}}, "lacks row and dataset"),
        ({"report": {"published": [{**PUBLISHED, "row": "nobody"}]}}, "row 'nobody' is none of"),
        ({"report": {"published": [{**PUBLISHED, "dataset": "toni"}]}}, "'toni' is none of tiny"),
        ({"report": {"published": [{**PUBLISHED, "mrr@3": 0.1}]}}, "no option 'mrr@3'"),
        ({"report": {"published": [{**PUBLISHED, "ndcg@10": "5%"}]}}, "must be a number"),
        ({"report": {"published": [{**PUBLISHED, "ndcg@10": 0}]}}, "must be a number"),
        ({"report": {"published": [{**PUBLISHED, "dataset": ["tiny"]}]}}, r"\['tiny'\] is none of"),
        ({"report": {"published": [{1: 2}]}}, "no option '1'"),
        ({"report": "mine"}, "report must be settings"),
        ({"report": {"baseline": "nobody"}}, "baseline 'nobody' is none of"),
        ({"report": {"baseline": "ours, delta_max 0.3"}}, "baseline 'ours, delta_max 0.3' is none"),
        ({"settings": {"model": "Pop"}}, "model is no setting of a row"),
        ({"models": {"x": {"model": "Pop", "vary": {"model": ["Pop"]}}}}, "x: model is no setting"),
        ({"models": {2015: {"model": "Pop"}}}, "the name 2015 is no text; quote it"),
        ({"models": {"x": {"model": "Pop", "seeds": [1, 1]}}}, "seeds: 1 is there twice"),
        ({"models": {"x": VARIED, "x, delta_max 0.5": {"model": "SASRecDelta"}}},
         "two rows are called 'x, delta_max 0.5'"),
        ({"datasets": {"tiny": [1]}}, r"tiny must hold settings, but is \[1\]"),
        ({"datasets": [["tiny"]]}, "no .*tiny.*prepare|is no name"),
        ({"datasets": ["tiny", "tiny-frontier"]}, "tables of tiny and tiny-frontier"),
        ({"data_path": 5}, "data_path must be text, but is 5"),
        ({"data_path": ["data"]}, r"data_path must be text, but is \['data'\]"),
        ({"settings": {"content_file": 5}}, "content_file must be text, but is 5"),
        ({"report": {"title": {"a": 1}}}, "title must be text"),
        ({"report": {"notes": ["a"]}}, "notes must be text"),
        ({"models": {"x\ny": {"model": "Pop"}}}, r"'x\\ny' must be one line of text"),
        ({"models": {"": {"model": "Pop"}}}, "'' must be one line of text"),
        ({"models": {"x": {"model": "Pop", "datasets": []}}}, "x must be a list of some of tiny"),
        ({"models": {"x": {"model": "SASRecDelta", "search": {"eval_step": [0, 1]}}}},
         "x cannot be tuned without validation; eval_step is 0"),
    ],
)  # fmt: skip
def test_a_bench_file_is_checked_before_anything_runs(plan, tmp_path, change, message):
    with pytest.raises(DeltaError, match=message) as error:
        bench(plan(**change))
    assert "try.yaml: " in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "bench" / "records").exists()


def test_a_bench_file_has_an_ending(plan, tmp_path):
    """The folder of its report has its name without one."""
    path = plan()
    path.rename(path.with_suffix(""))
    with pytest.raises(
        DeltaError, match=r"try needs an ending, as .*try.yaml: its report is the fol"
    ):
        read_plan(path.with_suffix(""))


def test_a_date_is_text(plan):
    path = plan()
    dated = path.read_text().replace("settings:", "settings:\n  LABEL_FIELD: 2020-01-01", 1)
    path.write_text(dated)
    assert {spec.settings["LABEL_FIELD"] for spec in read_plan(path).specs} == {"2020-01-01"}


def test_a_bench_file_is_never_code(plan, tmp_path):
    path = plan()
    path.write_text(path.read_text() + "notes: !!python/object/apply:os.mkdir [pwned]\n")
    with pytest.raises(DeltaError, match="try.yaml is not YAML: could not determine a constructor"):
        bench(path)
    assert not (tmp_path / "pwned").exists()


def test_an_entry_may_be_for_some_data_sets_only(plan, tiny, tmp_path):
    tiny.write(tmp_path / "dataset", "other")
    models = {
        "both": {"model": "ContentMean"},
        "one": {"model": "ContentMean", "datasets": ["other"]},
    }
    specs = read_plan(plan(models=models, datasets=["tiny", "other"], seeds=[1])).specs
    assert [(s.label, s.dataset) for s in specs] == [
        ("both", "tiny"), ("both", "other"), ("one", "other"),
    ]  # fmt: skip
    assert specs[1].settings == specs[2].settings


def record_folders(path, out):
    """The folder of each row's record."""
    asked = read_plan(path)
    return {spec.label: asked.record_folder(spec, out) for spec in asked.specs}


def test_a_record_is_of_what_a_recipe_stands_for(plan, tmp_path, monkeypatch):
    """Records of an older recipe are not taken for runs of the present one."""
    ours = {"model": "SASRecDelta"}
    models = {
        "recipe": {**ours, "recipe": "calibrated"},
        "spelt out": {**ours, "cold_offset": "auto", "cold_delta": "neighbours"},
        "paper": {**ours, "recipe": "paper"},
        "default": ours,
    }

    path = plan(models=models, seeds=[1])
    monkeypatch.setitem(RECIPES, "calibrated", {"cold_offset": "auto", "cold_delta": "neighbours"})
    older = record_folders(path, tmp_path)
    assert older["recipe"] == older["spelt out"] != older["paper"] == older["default"]
    monkeypatch.setitem(RECIPES, "calibrated", {"cold_offset": "auto"})
    newer = record_folders(path, tmp_path)
    assert newer.pop("recipe") not in older.values()
    assert newer.items() <= older.items()


def test_other_content_is_another_run_of_our_models_only(plan, tiny, tmp_path):
    """RecBole's models read none, and some train for hours."""
    models = {name: {"model": name} for name in ("SASRecDelta", "ContentMean", "STAMP", "Pop")}
    path = plan(models=models, seeds=[1])
    before = record_folders(path, tmp_path)
    longer = {token: 2 * vector for token, vector in tiny.vectors.items()}
    tiny.replace(vectors=longer).write(tmp_path / "dataset")
    after = record_folders(path, tmp_path)
    anew = {name for name in models if before[name] != after[name]}
    assert anew == {"SASRecDelta", "ContentMean"}


def test_a_file_of_content_is_found_from_where_the_bench_is_called(
    plan, tiny, tmp_path, monkeypatch
):
    """A run has a working directory of its own; and it is the bytes of the file that count."""
    [file] = (tmp_path / "dataset" / "tiny").glob("*.safetensors")
    monkeypatch.chdir(tmp_path)
    shutil.copy(file, "mine.safetensors")
    entry = {"model": "ContentMean", "content_file": "mine.safetensors"}
    asked = read_plan(plan(models={"mine": entry, "own": {"model": "ContentMean"}}, seeds=[1]))
    by_label = {spec.label: spec for spec in asked.specs}
    assert by_label["mine"].settings["content_file"] == str(tmp_path / "mine.safetensors")
    assert len({asked.record_folder(spec, tmp_path) for spec in asked.specs}) == 1


def test_a_plan_does_the_first_seed_of_every_row_first(plan, tmp_path):
    specs = read_plan(plan()).specs
    assert [(s.label, s.seed) for s in specs] == [
        ("content", 1), ("ours, delta_max 0.3", 1), ("ours, delta_max 0.5", 1), ("default", 1),
        ("default", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("report", "settings", "metrics", "topk"),
    [
        (["recall@10"], {}, ["NDCG", "Hit", "MRR", "recall"], [10]),
        (["MRR@10", "Recall@10"], {"metrics": ["NDCG"]}, ["NDCG", "mrr", "recall"], [10]),
        (["ndcg@20"], {"topk": [10]}, None, [10, 20]),
        (["ndcg@20"], {}, None, [10, 20]),  # ten is that of the validation metric
        (["ndcg@5"], {"valid_metric": "NDCG_warm@5"}, None, [5]),
        (["NDCG@10", "ndcg@10"], {}, None, [10]),
    ],
)
def test_runs_compute_what_the_report_shows(plan, report, settings, metrics, topk):
    asked = read_plan(plan(report={"metrics": report}, settings=settings))
    for spec in asked.specs:
        assert spec.settings.get("metrics") == metrics
        assert spec.settings["topk"] == topk


def test_a_report_shows_all_metrics_that_it_is_asked_for(plan, in_process):
    models = {"content": {"model": "ContentMean"}, "pop": {"model": "Pop"}}
    path = plan(models=models, seeds=[1], report={"metrics": ["Recall@10", "MRR@20"]})
    table = pd.read_csv(bench(path) / "tables" / "tiny.csv")
    assert set(table["metric"]) == {"recall@10", "mrr@20"}
    assert table["value"].notna().all()
    assert "| RECALL@10 cold" in (path.parent / "try" / "report.md").read_text()


def test_a_data_set_that_is_not_prepared_is_refused(plan, tiny, tmp_path):
    """Each run would prepare it on the way, by settings of its own, and have targets of its own."""
    tiny.write(tmp_path / "dataset", "plain")
    file = tmp_path / "dataset" / "plain" / "plain.inter"
    lines = [line.split("\t") for line in file.read_text().splitlines()]
    place = [column.split(":")[0] for column in lines[0]].index("split")
    kept = ["\t".join(line[:place] + line[place + 1 :]) for line in lines]
    file.write_text("\n".join(kept) + "\n")
    with pytest.raises(DeltaError, match="plain is not prepared: .*plain.inter has no split"):
        read_plan(plan(datasets=["plain"]), "dataset")
