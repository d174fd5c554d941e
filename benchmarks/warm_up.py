"""New items after 1, 2, 5 and 10 interactions: their deltas fitted, or everything trained anew.

    python -m dataset_prep ml-100k --protocol leave_one_out --out dataset
    python benchmarks/warm_up.py dataset/ml-100k-leave_one_out --held 100 --dim 64 --batch 32
    python benchmarks/warm_up.py dataset/amazon-2014-paper --held 500 --dim 128 --batch 128

``--held`` items that have at least 20 interactions, drawn by ``--draw``, are new. The first ten
interactions of each are what may be revealed. A user without one of these gives a test target, the
first later interaction with a new item; what follows it is dropped, and so is every other later
interaction with a new item. Test histories hold no new item, and are the same for all.

SASRecDelta is trained without the new items and then left as it is (their deltas are 0), or given
the training histories with the first n interactions by ``Recommender.warm_up``. It is also trained
anew on these histories, with ``item_embedding`` delta and id. Writes a ``.csv`` of the data
set's name, where what is there is not measured again, and a ``.png``.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from measure import machine
from scipy.stats import sem

import recbole_delta
from dataset_prep.files import replacing
from dataset_prep.format.content import find_content
from recbole_delta import Recommender

REVEALED = (1, 2, 5, 10)
WAYS = [
    ("delta 0", 0),
    *[("warm_up", n) for n in REVEALED],
    *[("trained anew, delta", n) for n in REVEALED],
    *[("trained anew, id", n) for n in REVEALED],
]
K = 10


def split(data: Path, held: int, draw: int) -> pd.DataFrame:
    """Rows in each user's order of time, with ``split`` and ``nth``.

    ``nth`` counts the interactions with a new item from 1, and is 0 for other items. ``split`` is
    ``target`` where a new item is to be predicted; else as in leave-one-out, of the other items.
    """
    rows = pd.read_csv(data / f"{data.name}.inter", sep="\t", dtype=str)
    rows.columns = [name.split(":")[0] for name in rows]
    rows["timestamp"] = rows["timestamp"].astype(float)
    rows = rows.sort_values("timestamp", kind="stable", ignore_index=True)
    count = rows["item_id"].value_counts()
    enough = sorted(count.index[count >= 20])
    new = rows["item_id"].isin(np.random.default_rng(draw).choice(enough, held, replace=False))
    rows["nth"] = (rows.groupby("item_id").cumcount() + 1).where(new, 0)
    rows = rows.sort_values("user_id", kind="stable", ignore_index=True)
    late = rows["nth"] > REVEALED[-1]
    early = rows["nth"].between(1, REVEALED[-1])
    reveals = early.groupby(rows["user_id"]).transform("any")
    later = (late & ~reveals).groupby(rows["user_id"]).cumsum()
    target = late & ~reveals & (later == 1)
    kept = target | (~late & (later == 0))
    rows["split"] = np.where(target, "target", "train")
    rows = rows[kept].reset_index(drop=True)
    reveals = rows["nth"].between(1, REVEALED[-1]).groupby(rows["user_id"]).transform("any")
    plain = rows[(rows["split"] == "train") & ~reveals].groupby("user_id")["nth"]
    from_end, size = plain.cumcount(ascending=False), plain.transform("size")
    for place, name in enumerate(("test", "valid")):
        rows.loc[from_end.index[(from_end == place) & (size >= 5)], "split"] = name
    return rows[["user_id", "item_id", "timestamp", "split", "nth"]]


def revealed(rows: pd.DataFrame, n: int) -> pd.DataFrame:
    """What has been seen when n interactions with each new item have."""
    return rows[(rows["nth"] <= n) & (rows["split"] != "target")]


def write(rows: pd.DataFrame, n: int, data: Path, out: Path) -> Path:
    """What has been seen, as dataset_prep would write it, with the content of ``data``."""
    out.mkdir(parents=True)
    catalogue, rows = sorted(rows["item_id"].unique()), revealed(rows, n)
    types = {"user_id": "token", "item_id": "token", "timestamp": "float", "split": "token"}
    named = rows[list(types)].rename(columns={name: f"{name}:{types[name]}" for name in types})
    named.to_csv(out / f"{out.name}.inter", sep="\t", index=False)
    count = rows.loc[rows["split"] == "train", "item_id"].value_counts()
    items = pd.DataFrame({"item_id:token": catalogue})
    items["train_count:float"] = items["item_id:token"].map(count).fillna(0).astype(int)
    items["is_cold:token"] = (items["train_count:float"] == 0).astype(int)
    items.to_csv(out / f"{out.name}.item", sep="\t", index=False)
    content = find_content(data, data.name)
    shutil.copy(content, out / content.name.replace(data.name, out.name))
    return out


def histories(rows: pd.DataFrame) -> list[list[str]]:
    """Items of the training rows, user by user."""
    return rows[rows["split"] == "train"].groupby("user_id")["item_id"].agg(list).tolist()


def gains(
    recommender: Recommender, rows: pd.DataFrame, of: str, among: list[str] | None = None
) -> np.ndarray:
    """NDCG at 10 of each target, all items or ``among`` ranked; 0 where nothing came before it."""
    known = set(recommender.items)
    before = rows[(rows["nth"] == 0) & rows["item_id"].isin(known) & (rows["split"] != of)]
    history = before.groupby("user_id")["item_id"].agg(list).to_dict()
    target = rows[rows["split"] == of].set_index("user_id")["item_id"]
    users = [user for user in target.index if user in history]
    found = recommender.recommend([history[user] for user in users], K, allow=among)
    gain = np.zeros(len(target))
    for n, (user, items) in enumerate(zip(users, found)):
        ranked = [each.item for each in items]
        if target[user] in ranked:
            gain[n] = 1 / np.log2(ranked.index(target[user]) + 2)
    return gain


def figures(recommender: Recommender, rows: pd.DataFrame) -> dict[str, float]:
    """On new items, on them among themselves, and on the others."""
    fresh = sorted(set(rows.loc[rows["nth"] > 0, "item_id"]) & set(recommender.items))
    new = gains(recommender, rows, "target")
    return {
        "new": new.mean(),
        "standard error": sem(new),
        "among new": gains(recommender, rows, "target", fresh).mean(),
        "others": gains(recommender, rows, "test").mean(),
    }


def trained(folder: Path, given: argparse.Namespace, seed: int, mode: str) -> str:
    """A checkpoint of SASRecDelta on the data set."""
    settings = {
        "data_path": str(folder.parent),
        "checkpoint_dir": str(folder.parent / "saved"),
        "hidden_size": given.dim,
        "inner_size": 2 * given.dim,
        "train_batch_size": given.batch,
        "item_embedding": mode,
        "require_cold": False,
        "seed": seed,
        "show_progress": False,
        "state": "ERROR",
    }
    return str(recbole_delta.run("SASRecDelta", folder.name, settings=settings).checkpoint)


def measured(
    data: Path, given: argparse.Namespace, seed: int, done: set[tuple[Any, ...]]
) -> Iterator[dict[str, Any]]:
    """A row for each way and number of interactions that is not done."""
    rows = split(data, given.held, given.draw)
    base = ""
    with tempfile.TemporaryDirectory() as scratch:
        for way, n in WAYS:
            if (data.name, given.draw, seed, way, n) in done:
                continue
            mode = way.split()[-1]
            if way.startswith("trained anew"):
                folder = write(rows, n, data, Path(scratch) / f"anew-{mode}-{n}")
                started = time.perf_counter()
                recommender = Recommender(trained(folder, given, seed, mode))
            else:
                base = base or trained(write(rows, 0, data, Path(scratch) / "base"), given, seed,
                                       "delta")  # fmt: skip
                recommender = Recommender(base)
                started = time.perf_counter()
                if way == "warm_up":
                    recommender.warm_up(histories(revealed(rows, n)))
            took = time.perf_counter() - started
            row = {"data": data.name, "draw": given.draw, "seed": seed, "way": way, "n": n}
            yield row | figures(recommender, rows) | {"seconds": took}


def picture(table: pd.DataFrame, out: Path) -> None:
    """NDCG over the number of interactions, the spread over seeds as a band."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    start = table[table["way"] == "delta 0"]
    ranked = {"new": "all items ranked", "among new": "the new items ranked"}
    for axes, (column, title) in zip(figure.subplots(1, 2), ranked.items()):
        for way, part in table[table["n"] > 0].groupby("way", sort=False):
            if not way.endswith("id"):
                part = pd.concat([start, part])
            by_n = part.groupby("n")[column].agg(["mean", "std"]).fillna(0)
            axes.plot(by_n.index, by_n["mean"], marker="o", label=way)
            spread = (by_n["mean"] - by_n["std"], by_n["mean"] + by_n["std"])
            axes.fill_between(by_n.index, *spread, alpha=0.2)
        axes.axhline(start[column].mean(), color="grey", linestyle=":", label="delta 0")
        axes.set(xlabel="interactions with each new item", title=title, ylim=(0, None))
        axes.set_ylabel(f"NDCG@{K} on new items")
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with replacing(out) as temporary:
        figure.savefig(temporary, dpi=150, format="png")


def main() -> None:
    """Measure what is missing, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of a prepared data set")
    for name in ("held", "dim", "batch"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--draw", type=int, default=0, help="seed of the choice of new items")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 221, 451])
    parser.add_argument("--out", type=Path, default=Path("results/warm-up"))
    given = parser.parse_args()
    path = given.out / f"{given.data.name}.csv"
    table = pd.read_csv(path) if path.exists() else pd.DataFrame()
    keys = ["data", "draw", "seed", "way", "n"]
    done = set(table[keys].itertuples(index=False, name=None)) if len(table) else set()
    for seed in given.seeds:
        for row in measured(given.data, given, seed, done):
            print(row, flush=True)
            table = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
            with replacing(path) as temporary:
                table.to_csv(temporary, index=False, float_format="%.5f")
    picture(table, path.with_suffix(".png"))
    columns = ["new", "among new", "others", "seconds"]
    means = table.groupby(["way", "n"], sort=False)[columns].mean().reset_index()
    print(machine(), means.to_markdown(index=False, floatfmt=".4f"), sep="\n\n")


if __name__ == "__main__":
    main()
