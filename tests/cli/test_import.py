"""Models of the user's own are known to every command, by the module that registers them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.datasets import SMALL

from recbole_delta.cli.main import main

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
