"""Models of the user's own are known to every command, by the module that registers them."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from support.datasets import SMALL

from recbole_delta.bench.plan.own_code import own_code
from recbole_delta.bench.plan.plan import read_plan
from recbole_delta.cli.main import main
from recbole_delta.embedding import EMBEDDINGS
from recbole_delta.loss import LOSSES
from recbole_delta.model import SASRecDelta

MODULE = """
from recbole.model.sequential_recommender.gru4rec import GRU4Rec

import recbole_delta


class MineGRU(recbole_delta.ContentBackbone, GRU4Rec):
    causal = True


recbole_delta.register(MineGRU)
"""


def command(*arguments):
    script = Path(sys.executable).with_name("recbole-delta")
    done = subprocess.run([script, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def settings(tiny, tmp_path):
    tiny.write(tmp_path / "dataset")
    (tmp_path / "mine.py").write_text(MODULE)
    given = {"data_path": str(tmp_path / "dataset"), "train_batch_size": 16, "epochs": 1,
             "show_progress": False, "state": "ERROR", "MAX_ITEM_LIST_LENGTH": 8, **SMALL}  # fmt: skip
    return [f"--{name}={json.dumps(value)}" for name, value in given.items()]


@pytest.mark.slow
@pytest.mark.subprocess
def test_a_model_of_ones_own_is_trained_resumed_and_recommends(settings, tmp_path):
    printed = command("--import", "mine", "-m", "MineGRU", "-d", "tiny", *settings, "--nproc=2")
    checkpoint = json.loads(printed.splitlines()[-1])["checkpoint"]
    command("resume", checkpoint, "--epochs=2", "--import", "mine")
    (tmp_path / "lines.jsonl").write_text('{"history": ["i1"]}\n')
    answer = command("recommend", checkpoint, "lines.jsonl", "--import", "mine", "-k", "2")
    assert len(json.loads(answer)["items"]) == 2


@pytest.mark.slow
@pytest.mark.subprocess
def test_a_bench_file_may_import_models(settings, tmp_path):
    (tmp_path / "mine-bench.yaml").write_text(
        "import: [mine]\ndatasets: [tiny]\nmodels: {mine: {model: MineGRU}}\n"
        "settings: {epochs: 1, embedding_size: 16, hidden_size: 16}\n"
    )
    printed = command("bench", "mine-bench.yaml", "--data_path", str(tmp_path / "dataset"))
    assert "mine, tiny, seed 42: ndcg@10" in printed
    assert ", 1 epoch, " in printed


@pytest.mark.parametrize(
    ("module", "text", "message"),
    [
        ("nowhere", None, "import: There is no module 'nowhere' in "),
        ("needy", "import missing_thing", "no module 'missing_thing' in "),
        ("faulty", "1 / 0", "import: faulty cannot be imported (ZeroDivisionError: division by"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named(tmp_path, capsys, module, text, message):
    if text:
        (tmp_path / f"{module}.py").write_text(text)
    with pytest.raises(SystemExit) as stop:
        main(["--import", module, "-m", "X", "-d", "tiny"])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_a_run_of_a_model_of_ones_own_is_told_by_its_code(tiny, tmp_path, monkeypatch):
    """Each change makes its runs run again, and no other."""
    monkeypatch.syspath_prepend(tmp_path)
    tiny.write(tmp_path / "dataset")
    bench, module = tmp_path / "bench.yaml", tmp_path / "grown.py"
    bench.write_text(
        "import: [grown]\ndatasets: [tiny]\nmodels: {mine: {model: Grown}, ours: {model: SASRecDelta}}\n"
    )

    def folders(text):
        module.write_text(text)
        monkeypatch.delitem(sys.modules, "grown", raising=False)
        plan = read_plan(bench, tmp_path / "dataset")
        return [plan.record_folder(spec, tmp_path) for spec in plan.specs]

    text = MODULE.replace("MineGRU", "Grown")
    mine, ours = folders(text)
    assert folders(text) == [mine, ours]
    changed = {
        "a line": text + "# another\n",
        "a default": text.replace("(Grown)", "(Grown, {'hidden_size': 32})"),
    }
    for what, other in changed.items():
        again, as_before = folders(other)
        assert (again != mine, as_before) == (True, ours), what


@pytest.mark.parametrize("own", ["embedding", "loss"])
def test_so_is_one_of_an_embedding_or_a_loss(own, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "__init__.py").write_text(
        "import dataclasses\n"
        "from recbole_delta.embedding import EMBEDDINGS\n"
        "from recbole_delta.loss import LOSSES\n"
        "class Loss(LOSSES['ce']): pass\n"
        "def make(args): return EMBEDDINGS['delta'].make(args)\n"
        "embedding = dataclasses.replace(EMBEDDINGS['delta'], make=make)\n"
    )
    helper = tmp_path / "part" / "helper.py"
    helper.write_text("SCALE = 1\n")
    monkeypatch.delitem(sys.modules, "part", raising=False)
    part = import_module("part")
    monkeypatch.setitem(EMBEDDINGS, "mine", part.embedding)
    monkeypatch.setitem(LOSSES, "mine", part.Loss)
    given = {"item_embedding" if own == "embedding" else "loss": "mine"}
    before = own_code(SASRecDelta, given)
    helper.write_text("SCALE = 2\n")
    after = own_code(SASRecDelta, given)
    assert before.keys() == after.keys() == {"code"}
    assert before["code"].keys() == after["code"].keys() == {"part"}
    assert before != after
    assert own_code(SASRecDelta, {"item_embedding": "delta", "loss": "ce"}) == {}
