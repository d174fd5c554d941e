"""Interactions in Zvuk's schema to atomic files: seconds and peak memory, beside plain pandas.

    python benchmarks/prepare_scale.py 1e7 1e8     # pandas runs up to --pandas-rows (1e7)

Each run is a process of its own. Both do the same steps: plays over 60 s, order of time, 3-core,
the paper's protocol, atomic files. The floor is reading the raw bytes and writing the result's
bytes once. The pandas version needs pyarrow.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from dataset_prep import Filters, prepare

TRACKS = 500_000
DIM = 16
SPAN = 7.8e9
"""Milliseconds that the plays spread over: three months."""


def generate(rows: int, folder: Path) -> None:
    """A parquet file of ``rows`` plays in no order, popular tracks first, and track vectors."""
    folder.mkdir(parents=True, exist_ok=True)
    i = pl.int_range(rows, dtype=pl.Int64)
    uniform = [i.hash(seed).cast(pl.Float64) / 2**64 for seed in range(4)]
    users = max(rows // 250, 10)
    track = (uniform[2] ** 3 * TRACKS).cast(pl.Int64)
    # The last tracks come out at the end: cold items.
    born = pl.when(track >= 0.99 * TRACKS).then(0.95 * SPAN).otherwise(0.0)
    plays = pl.LazyFrame().select(
        user_id=(uniform[0] * users).cast(pl.Int64),
        session_id=i // 10,
        datetime=(born + uniform[1] * (SPAN - born)).cast(pl.Int64).cast(pl.Datetime("ms")),
        track_id=track,
        play_duration=(uniform[3] * 360).cast(pl.Float64),
    )
    plays.sink_parquet(folder / "zvuk-interactions.parquet")
    vectors = np.random.default_rng(0).normal(size=(TRACKS, DIM)).astype(np.float32)
    table = pl.DataFrame({"track_id": np.arange(TRACKS), "vector": vectors})
    table = table.with_columns(pl.col("vector").arr.to_list(), artist_id=0, cluster_id=0)
    table.write_parquet(folder / "zvuk-track_artist_embedding.parquet")


def ours(raw: Path, out: Path) -> None:
    """The command's own path."""
    filters = Filters(above={"play_duration": 60})
    prepare("zvuk", out, raw=raw, name="scale", filters=filters, protocol="paper")


def plain_pandas(raw: Path, out: Path) -> None:
    """The same steps as one would write them with pandas."""
    columns = ["user_id", "track_id", "datetime", "play_duration"]
    rows = pd.read_parquet(raw / "zvuk-interactions.parquet", columns=columns)
    rows = rows[rows["play_duration"] > 60].sort_values("datetime", kind="stable")
    threshold = rows["datetime"].quantile(0.9)
    early, late = rows[rows["datetime"] <= threshold], rows[rows["datetime"] > threshold]
    while True:
        before = len(early)
        for field in ("track_id", "user_id"):
            counts = early[field].map(early[field].value_counts())
            early = early[counts >= 3]
        if len(early) == before:
            break
    users = np.sort(early["user_id"].unique())
    chosen = np.random.default_rng(42).permutation(users)[: int(len(users) * 0.9)]
    trains = early["user_id"].isin(set(chosen))
    kept = pd.concat([early, late])
    kept["split"] = "history"
    kept.loc[early.index[trains], "split"] = "train"
    warm = set(early.loc[trains, "track_id"])
    valid = early[~trains & early["track_id"].isin(warm)].drop_duplicates("user_id", keep="last")
    kept.loc[valid.index, "split"] = "valid"
    kept.loc[late.drop_duplicates("user_id", keep="last").index, "split"] = "test"
    kept["timestamp"] = kept["datetime"].astype("int64") / 1000
    counts = kept.loc[kept["split"] == "train", "track_id"].value_counts()
    items = pd.DataFrame({"item_id": kept["track_id"].unique()})
    items["train_count"] = items["item_id"].map(counts).fillna(0).astype(int)
    items["is_cold"] = (items["train_count"] == 0).astype(int)
    out.mkdir(parents=True, exist_ok=True)
    written = kept[["user_id", "track_id", "timestamp", "split"]]
    written.to_csv(out / "scale.inter", sep="\t", index=False)
    items.to_csv(out / "scale.item", sep="\t", index=False)


def measured(step: Any, *arguments: Any) -> dict[str, float]:
    """Seconds and peak memory (GiB) of ``step`` in a fresh process.

    This process stays small: a child's peak counts that of the process it was started from.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(step, sender, *arguments))
    process.start()
    # With this end closed a process that dies ends the wait.
    sender.close()
    result = receiver.recv()
    process.join()
    return result


def _run(step: Any, sender: Any, *arguments: Any) -> None:
    start = time.perf_counter()
    step(*arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sender.send({"seconds": time.perf_counter() - start, "peak_gib": peak})


def floor(raw: Path, written: Path, scratch: Path) -> float:
    """Seconds to read the raw file's bytes and to write the result's bytes once."""
    start = time.perf_counter()
    with (raw / "zvuk-interactions.parquet").open("rb") as file:
        while file.read(2**24):
            pass
    block = b"x" * 2**24
    with scratch.open("wb") as file:
        for _ in range(written.stat().st_size // 2**24 + 1):
            file.write(block)
    scratch.unlink()
    return time.perf_counter() - start


def main() -> None:
    """Print one JSON line a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=float, nargs="+")
    parser.add_argument("--pandas-rows", type=float, default=1e7)
    parser.add_argument("--folder", type=Path, default=Path("scale"))
    given = parser.parse_args()
    for rows in map(int, given.rows):
        raw = given.folder / "raw"
        measured(generate, rows, raw)
        for step in (ours, plain_pandas):
            if step is plain_pandas and rows > given.pandas_rows:
                continue
            out = given.folder / step.__name__
            result = {"rows": rows, "version": step.__name__, **measured(step, raw, out)}
            if step is ours:
                inter = out / "scale" / "scale.inter"
                result["floor_seconds"] = floor(raw, inter, given.folder / "scratch")
                result["inter_gib"] = inter.stat().st_size / 2**30
            print(json.dumps({name: _short(value) for name, value in result.items()}), flush=True)
        shutil.rmtree(given.folder)


def _short(value: Any) -> Any:
    return round(value, 2) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
