"""Small data sets in memory, written as dataset_prep writes them, and frames as logs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

from dataset_prep.format.atomic import write_atomic
from dataset_prep.format.content import write_content
from dataset_prep.format.fields import SPLITS
from dataset_prep.interactions.log import Log
from dataset_prep.protocols import item_holdout

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


def planted(n_users=60, n_items=48, n_clusters=4, length=9, dim=24, seed=0, shots=0) -> Prepared:
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
    options = {"cold": "random", "fraction": 0.15, "seed": seed, "shots": shots}
    return _held_out(rows, cluster_of_item, dim, rng, options)


def in_waves(n_users=400, n_items=160, n_clusters=4, length=12, seed=0) -> Prepared:
    """Users who come at some time, and stay in one cluster of the items that are new then.

    The newest items are cold: who has just taken one takes another next.
    """
    rng = np.random.default_rng(seed)
    cluster_of_item, born = np.arange(n_items) % n_clusters, np.arange(n_items) / n_items
    user, item, time = [], [], []
    for u in range(n_users):
        now = rng.uniform(0.3, 1.1)
        there = (born > now - 0.4) & (born < now) & (cluster_of_item == u % n_clusters)
        chosen = rng.permutation(np.flatnonzero(there))[:length]
        chosen = chosen[np.argsort(born[chosen] + rng.normal(0, 0.15, len(chosen)))]
        user += [f"u{u}"] * len(chosen)
        item += [f"i{i}" for i in chosen]
        time += (1e6 * now + np.arange(len(chosen))).tolist()
    rows = pd.DataFrame({"user_id": user, "item_id": item, "timestamp": time})
    options = {"cold": "newest", "fraction": 0.25}
    return _held_out(rows, cluster_of_item, 24, rng, options)


def _held_out(rows, cluster_of_item, dim, rng, options) -> Prepared:
    """Rows by ``item_holdout``, and content that gives each item's cluster away."""
    rows = as_pandas(*item_holdout(as_log(rows), **options))
    trained = rows.loc[rows["split"] == "train", "item_id"].value_counts()
    items = pd.DataFrame({"item_id": sorted(rows["item_id"].unique())})
    items["train_count"] = items["item_id"].map(trained).fillna(0).astype(int)
    items["is_cold"] = np.where(items["train_count"] > 0, "0", "1")
    centre = rng.normal(size=(cluster_of_item.max() + 1, dim))
    vectors = {
        f"i{i}": (centre[c] + 0.3 * rng.normal(size=dim)).astype(np.float32)
        for i, c in enumerate(cluster_of_item)
    }
    return Prepared(rows, items, vectors)


def uneven() -> Prepared:
    """The same, where warm items have from one training row to sixteen."""
    prepared = planted(n_users=150, n_items=60, length=12)
    rows = prepared.rows
    most = 2 ** (rows["item_id"].str[1:].astype(int) % 15 // 3)
    rows = rows[(rows["split"] != "train") | (rows.groupby("item_id").cumcount() < most)]
    counts = rows.loc[rows["split"] == "train", "item_id"].value_counts()
    count = prepared.items["item_id"].map(counts).fillna(0).astype(int)
    is_cold = np.where(count > 0, "0", "1")
    return prepared.replace(
        rows=rows, items=prepared.items.assign(train_count=count, is_cold=is_cold)
    )


def without_cold_items(prepared: Prepared) -> Prepared:
    """The same data as they were before any cold item came."""
    warm = prepared.items[prepared.items["is_cold"] == "0"]
    rows = prepared.rows[prepared.rows["item_id"].isin(warm["item_id"])]
    return prepared.replace(rows=rows, items=warm)


def without_cold_validation(prepared: Prepared) -> Prepared:
    """The same rows by a protocol that validates on warm items only."""
    cold = set(prepared.items.loc[prepared.items["is_cold"] == "1", "item_id"])
    rows = prepared.rows.copy()
    rows.loc[(rows["split"] == "valid") & rows["item_id"].isin(cold), "split"] = "history"
    return prepared.replace(rows=rows)


def random_interactions(seed, n=300, users=20, items=25):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "user_id": [f"u{u}" for u in rng.integers(0, users, n)],
            "item_id": [f"i{i}" for i in rng.integers(0, items, n)],
            "timestamp": np.sort(rng.integers(0, 60, n)).astype(float),
        }
    )
    return table
