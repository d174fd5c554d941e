"""Fixtures that tests share; what they are made of lies in ``support``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from threading import Timer

import pytest
import torch
from filelock import FileLock
from support.datasets import Prepared, planted
from support.encoders import CountingModel
from support.fake_device import register
from support.originals import write_m2
from support.paths import CHECKOUT
from support.paths import data_folder as where_data_lie
from support.refusals import GOOD_ITEMS, GOOD_ROWS, refusal
from support.runs import Runs

import recbole_delta
from dataset_prep import Filters, prepare
from dataset_prep.errors import DeltaError
from recbole_delta.embedding import modes
from recbole_delta.embedding.adaptors import MixtureOfExperts, ResidualAdaptor

# The models here are so small that a second thread only waits.
torch.set_num_threads(1)

register()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path):
    """RecBole writes its logs into the working directory."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield
    os.chdir(before)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real data beside the checkout; a test that needs them is marked ``data``."""
    folder = where_data_lie()
    if not folder.is_dir():
        pytest.skip(f"RECBOLE_DELTA_DATA: there is no folder {folder}")
    return folder


@pytest.fixture(scope="session")
def real_data(data_folder):
    """real_data(name) -> a folder of them."""

    def real_data(name: str) -> Path:
        if not (data_folder / name).is_dir():
            pytest.skip(f"RECBOLE_DELTA_DATA: {data_folder} has no {name}")
        return data_folder / name

    return real_data


@pytest.fixture(scope="session")
def tiny() -> Prepared:
    return planted()


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Runs:
    return Runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def train(runs, request, tmp_path):
    """train(prepared, model, **settings) -> (RunResult, parts of load_run).

    The same training is done once a session; see :class:`Runs`. A test that patches anything, or
    says ``anew=True``, trains for itself.
    """
    patches = "monkeypatch" in request.fixturenames
    runs.lead_to(tmp_path)

    def train(prepared, model="SASRecDelta", *, name="tiny", anew=patches, **settings):
        return runs.train(prepared, model, name, settings, anew)

    return train


@pytest.fixture
def no_noise(monkeypatch):
    """Embeddings that draw nothing for gates and adaptors: under a cosine over .07 it moves a loss."""
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    for adaptor in (ResidualAdaptor, MixtureOfExperts):
        monkeypatch.setattr(modes, adaptor.__name__, partial(adaptor, dropout=0.0))


@pytest.fixture(scope="session")
def ml_100k(tmp_path_factory) -> Path:
    """ml-100k prepared with MiniLM as the demo does; its parent is RecBole's data_path.

    Prepared once for all test processes, which get a copy each: a test may prepare it again.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with FileLock(shared / "ml-100k.lock"):
        if not (shared / "ml-100k").exists():
            options = {"name": "ml-holdout", "filters": Filters(core=5)}
            out = tmp_path_factory.mktemp("prepared")
            prepare("ml-100k", out, protocol_options={"cold": "random"}, **options)
            shutil.copytree(out, shared / "ml-100k")
    own = tmp_path_factory.mktemp("own") / "prepared"
    shutil.copytree(shared / "ml-100k", own)
    return own / "ml-holdout"


@pytest.fixture
def counting(monkeypatch):
    import sentence_transformers

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", CountingModel)
    CountingModel.encoded = []
    return CountingModel


@pytest.fixture
def m2(tmp_path) -> Path:
    folder = tmp_path / "m2"
    folder.mkdir()
    write_m2(folder)
    return folder


@pytest.fixture
def attempt(tiny, tmp_path):
    """attempt(spoil, **settings): run over a data set that spoil(folder) has changed."""

    def attempt(spoil=lambda folder: None, model="SASRecDelta", **settings):
        folder = tiny.write(tmp_path / "dataset")
        spoil(folder)
        base = {"data_path": str(tmp_path / "dataset"), "checkpoint_dir": str(tmp_path / "saved"),
                "epochs": 1, "show_progress": False, "state": "ERROR"}  # fmt: skip
        if model == "SASRecDelta":
            base |= {"hidden_size": 16, "inner_size": 16}
        with pytest.raises(DeltaError) as error:
            recbole_delta.run(model, "tiny", settings={**base, **settings})
        assert not list((tmp_path / "saved").glob("*"))
        message = str(error.value)
        assert not (tmp_path / "log").exists()
        assert "\n" not in message
        return message

    return attempt


@pytest.fixture
def table(tmp_path, counting):
    """table(rows=..., items=..., **options): prepare a table of one's own; texts are file contents."""

    def run(rows=GOOD_ROWS, items=GOOD_ITEMS, spoil=lambda raw: None, names=None, **options):
        raw = tmp_path / "raw"
        raw.mkdir(exist_ok=True)
        for name, text in (("rows.csv", rows), ("items.csv", items)):
            if text is not None:
                (raw / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        spoil(raw)
        given = {"interactions": "rows.csv", "items": "items.csv", "rating": "rating"}
        return refusal(
            tmp_path, "table", **{"raw": raw, "source_options": given | (names or {}), **options}
        )

    return run


@pytest.fixture(scope="session")
def several(tmp_path_factory):
    """several(cases) -> what came of each run, and standard error; see ``support/several.py``."""
    folder = tmp_path_factory.mktemp("several")
    path = os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "tests")])
    with (
        (folder / "errors").open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "support.several"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
        ) as process,
    ):

        def several(cases):
            before = len((folder / "errors").read_text())
            too_long = Timer(300, process.kill)
            too_long.start()
            print(json.dumps(cases), file=process.stdin, flush=True)
            said = process.stdout.readline()
            too_long.cancel()
            since = (folder / "errors").read_text()[before:]
            assert said, since
            return json.loads(said), since

        yield several


@pytest.fixture
def trained(tiny, train):
    """A run's checkpoint, without its data set."""
    result, _ = train(tiny, "SASRecDelta", epochs=3, anew=False)
    shutil.rmtree(result.settings["data_path"])
    return result.checkpoint
