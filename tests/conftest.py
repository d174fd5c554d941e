"""Data sets that the tests share, and one way to train on them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from originals import write_m2
from refusals import GOOD_ITEMS, GOOD_ROWS, refusal

import recbole_delta
from dataset_prep import Filters, prepare
from dataset_prep.errors import DeltaError
from dataset_prep.format.atomic import write_atomic
from dataset_prep.format.content import write_content
from dataset_prep.format.fields import SPLITS
from dataset_prep.interactions.log import Log
from dataset_prep.protocols import item_holdout
from recbole_delta.model import MODELS

# The models here are so small that a second thread only waits.
torch.set_num_threads(1)

OURS = [model.__name__ for model in MODELS]
SMALL = {"hidden_size": 16, "inner_size": 16, "embedding_size": 16}
"""Sizes of any of our models; RecBole passes over those that a model does not have."""


@dataclass(frozen=True)
class Prepared:
    """A prepared data set in memory; write() lays it down as dataset_prep would."""

    rows: pd.DataFrame
    items: pd.DataFrame
    vectors: dict[str, np.ndarray]

    def write(self, out: Path, name: str = "tiny") -> Path:
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        inter = {"user_id": "token", "item_id": "token", "timestamp": "float", "split": "token"}
        write_atomic([as_polars(self.rows)], inter, folder / f"{name}.inter")
        item = {"item_id": "token", "is_cold": "token", "train_count": "float"}
        write_atomic([as_polars(self.items)], item, folder / f"{name}.item")
        tokens = self.items["item_id"].tolist()
        matrix = np.stack([self.vectors[token] for token in tokens])
        write_content(folder / f"{name}.content.synthetic.safetensors", tokens, matrix)
        return folder

    def replace(self, **changes) -> Prepared:
        return replace(self, **changes)


def as_polars(frame: pd.DataFrame) -> pl.DataFrame:
    return pl.DataFrame({str(name): frame[name].tolist() for name in frame})


def as_log(frame: pd.DataFrame) -> Log:
    return Log.read(as_polars(frame).lazy(), "rows")[0].in_order_of_time()


def as_pandas(log: Log, split: np.ndarray, steps=()) -> pd.DataFrame:
    frames = [pd.DataFrame(f.to_dict(as_series=False)) for f in log.frames(split, SPLITS)]
    return pd.concat(frames, ignore_index=True)


def planted(n_users=60, n_items=48, n_clusters=4, length=9, dim=24, seed=0) -> Prepared:
    """Users who stay in one cluster of items, whose content gives the cluster away."""
    rng = np.random.default_rng(seed)
    cluster_of_item = np.arange(n_items) % n_clusters
    user, item = [], []
    for u in range(n_users):
        mine = np.flatnonzero(cluster_of_item == u % n_clusters)
        chosen = rng.permutation(mine)[:length]
        user += [f"u{u}"] * len(chosen)
        item += [f"i{i}" for i in chosen]
    rows = pd.DataFrame({"user_id": user, "item_id": item})
    rows["timestamp"] = rng.permutation(len(rows)) * 60 + 1_700_000_000
    rows = as_pandas(*item_holdout(as_log(rows), cold="random", fraction=0.15, seed=seed))
    trained = rows.loc[rows["split"] == "train", "item_id"].value_counts()
    items = pd.DataFrame({"item_id": sorted(rows["item_id"].unique())})
    items["train_count"] = items["item_id"].map(trained).fillna(0).astype(int)
    items["is_cold"] = np.where(items["train_count"] > 0, "0", "1")
    centre = rng.normal(size=(n_clusters, dim))
    vectors = {
        f"i{i}": (centre[c] + 0.3 * rng.normal(size=dim)).astype(np.float32)
        for i, c in enumerate(cluster_of_item)
    }
    return Prepared(rows, items, vectors)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """RecBole writes its logs into the working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def tiny() -> Prepared:
    return planted()


@pytest.fixture
def train(tmp_path):
    """train(prepared, model, **settings) -> (RunResult, parts of load_run)."""

    def train(prepared, model="SASRecDelta", *, name="tiny", **settings):
        prepared.write(tmp_path / "dataset", name)
        defaults = {
            "data_path": str(tmp_path / "dataset"),
            "checkpoint_dir": str(tmp_path / "saved"),
            "MAX_ITEM_LIST_LENGTH": 8,
            "train_batch_size": 16,
            "epochs": 2,
            "show_progress": False,
            "state": "ERROR",
            **(SMALL if model in OURS else {}),
        }
        result = recbole_delta.run(model, name, settings={**defaults, **settings})
        return result, recbole_delta.load_run(result.checkpoint)

    return train


@pytest.fixture(scope="session")
def ml_100k(tmp_path_factory) -> Path:
    """ml-100k prepared with MiniLM as the demo does; its parent is RecBole's data_path."""
    out = tmp_path_factory.mktemp("prepared")
    options = {"name": "ml-holdout", "filters": Filters(core=5)}
    return prepare("ml-100k", out, protocol_options={"cold": "random"}, **options)


@pytest.fixture(scope="session")
def beauty_folder() -> Path:
    shared = Path(__file__).parents[2] / "shared" / "data" / "amazon-beauty-2014-5core"
    if not shared.is_dir():
        pytest.skip("Amazon Beauty is not beside this checkout")
    return shared


class CountingModel:
    """Stands in for SentenceTransformer: a vector that depends on the text alone."""

    encoded: list[str] = []

    def __init__(self, name, device):
        if "broken" in name:
            raise OSError(f"{name} is not a local folder")

    def float(self):
        return self

    def encode(self, texts, batch_size, show_progress_bar):
        self.encoded.extend(texts)
        return np.stack(
            [np.random.default_rng([*text.encode(), 1]).normal(size=4) for text in texts]
        )


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


@pytest.fixture
def trained(tiny, train):
    """A run's checkpoint, without its data set."""
    result, (config, *_) = train(tiny, "SASRecDelta", epochs=3)
    shutil.rmtree(config["data_path"])
    return result.checkpoint
