"""Items that come after training: the same ranks as if they had been there, and how fast.

    OMP_NUM_THREADS=1 python benchmarks/serve.py dataset/amazon-2014-paper

Two models are trained: one knows the cold items, the other's data set has never heard of them, and
gets them from ``Recommender.add_items``. Both recommend to every test case. Then the second is
grown to ``--items`` by made-up vectors, and timed again. Times are processor time, which is the
time on the clock where one thread has a core to itself.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from measure import machine

import recbole_delta
from dataset_prep.format.content import find_content, read_content
from recbole_delta import Recommender

SETTINGS = {
    "hidden_size": 128,
    "inner_size": 128,
    "MAX_ITEM_LIST_LENGTH": 64,
    "require_cold": False,
    "show_progress": False,
    "state": "ERROR",
    "eval_step": 0,
}


def before(data: Path, out: Path) -> tuple[Path, list[str]]:
    """The data set without its cold items, and their ids."""
    folder = out / "before"
    folder.mkdir()
    item = pl.read_csv(data / f"{data.name}.item", separator="\t", infer_schema=False)
    cold = item.filter(pl.col("is_cold:token") == "1")["item_id:token"]
    for name in ("item", "inter"):
        rows = pl.read_csv(data / f"{data.name}.{name}", separator="\t", infer_schema=False)
        rows = rows.filter(~pl.col("item_id:token").is_in(cold.implode()))
        rows.write_csv(folder / f"before.{name}", separator="\t")
    content = find_content(data, data.name)
    shutil.copy(content, folder / content.name.replace(data.name, "before"))
    return folder, cold.to_list()


def trained(folder: Path, out: Path, epochs: int) -> str:
    """A checkpoint of SASRecDelta on the data set."""
    places = {"data_path": str(folder.parent), "checkpoint_dir": str(out / "saved")}
    settings = {**SETTINGS, **places, "epochs": epochs}
    return str(recbole_delta.run("SASRecDelta", folder.name, settings=settings).checkpoint)


def histories(data: Path) -> list[list[str]]:
    """What stands before every test target."""
    rows = pl.read_csv(data / f"{data.name}.inter", separator="\t", infer_schema=False)
    rows = rows.with_columns(pl.col("timestamp:float").cast(pl.Float64))
    past: dict[str, list[str]] = {}
    found = []
    ordered = rows.sort("timestamp:float", maintain_order=True)
    for user, item, split in ordered.select("user_id:token", "item_id:token", "split:token").rows():
        if split == "test" and past.get(user):
            found.append(list(past[user]))
        past.setdefault(user, []).append(item)
    return found


def main() -> None:
    """Print what holds and how fast it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--items", type=int, default=1_000_000)
    given = parser.parse_args()
    print(machine())
    asked = histories(given.data)
    content = read_content(find_content(given.data, given.data.name))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        reduced, cold = before(given.data, out)
        knows = Recommender(trained(given.data, out, given.epochs))
        grown = Recommender(trained(reduced, out, given.epochs))
    started = time.process_time()
    grown.add_items(cold, content.align(cold))
    print(f"{len(cold)} cold items added in {time.process_time() - started:.3f} s")
    lists = [each.recommend(asked, k=100) for each in (knows, grown)]
    same = sum([r.item for r in a] == [r.item for r in b] for a, b in zip(*lists))
    print(f"{same} of {len(asked)} test cases have the same 100 items in the same order")
    _time(grown, asked)
    tokens = [f"made-up {n}" for n in range(given.items - len(grown.items))]
    vectors = between(content.vectors, len(tokens))
    started = time.process_time()
    grown.add_items(tokens, vectors)
    took = time.process_time() - started
    print(f"{len(tokens):,} items added in {took:.1f} s ({len(tokens) / took:,.0f} a second)")
    _time(grown, asked[:512])
    grown.add_items(["one more"], vectors[:1])
    print(f"one more added, and answered in {_seconds(grown, asked[:1]):.2f} s")


def between(vectors: np.ndarray, n: int) -> np.ndarray:
    """Made-up content: somewhere between two items, in each dimension elsewhere."""
    draw = np.random.default_rng(0)
    one, other = (vectors[draw.integers(len(vectors), size=n)] for _ in range(2))
    share = draw.random(one.shape, dtype=np.float32)
    return share * one + (1 - share) * other


def _time(recommender: Recommender, asked: list[list[str]]) -> None:
    """Print the time of the first answer, which lays the items out, of one more, and of many."""
    first, one = (_seconds(recommender, asked[:1]) for _ in range(2))
    rate = len(asked) / sorted(_seconds(recommender, asked) for _ in range(3))[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{len(recommender.items):,} items: {rate:,.0f} users a second; one alone "
          f"{1e3 * one:.0f} ms, the first {first:.2f} s; peak {peak:.1f} GiB")  # fmt: skip


def _seconds(recommender: Recommender, asked: list[list[str]]) -> float:
    started = time.process_time()
    recommender.recommend(asked, k=10)
    return time.process_time() - started


if __name__ == "__main__":
    main()
