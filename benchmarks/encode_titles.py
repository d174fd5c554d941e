"""Item texts to vectors: ours beside plain loops over sentence-transformers' ``model.encode``.

    python benchmarks/encode_titles.py dataset/beauty     # a data set prepared with --encoder

All of them encode the titles of the data set's .item file with the same model on one device; they
take turns, loading the model each time, and each figure is the median over the rounds. ``one call``
is ``model.encode(titles)``; ``loop`` calls it once a title, as a plain loop over items does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from dataset_prep.encoders.text import DEFAULT_ENCODER, TextEncoder

from sentence_transformers import SentenceTransformer  # isort: skip (mended by the import above)


def titles_of(folder: Path, field: str) -> list[str]:
    """The field of every line of a data set's .item file; a missing one is empty."""
    table = pl.read_csv(
        folder / f"{folder.name}.item", separator="\t", infer_schema=False, quote_char=None
    )
    [column] = [name for name in table.columns if name.split(":")[0] == field]
    return table[column].fill_null("").to_list()


def timed(encode: Callable[[list[str]], np.ndarray], titles: list[str]) -> tuple[float, np.ndarray]:
    """Titles a second, and the vectors."""
    start = time.perf_counter()
    vectors = encode(titles)
    return len(titles) / (time.perf_counter() - start), vectors


def ours(titles: list[str]) -> np.ndarray:
    """As dataset_prep does it, with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        return TextEncoder(DEFAULT_ENCODER, Path(cache)).encode(titles)


def one_call(titles: list[str]) -> np.ndarray:
    """All titles in one call of the model."""
    return _model().encode(titles, show_progress_bar=False)


def loop(titles: list[str]) -> np.ndarray:
    """A call for each title."""
    model = _model()
    return np.stack([model.encode(title, show_progress_bar=False) for title in titles])


def _model() -> SentenceTransformer:
    return SentenceTransformer(TextEncoder(DEFAULT_ENCODER, Path()).path)


def main() -> None:
    """Print medians and ratios, and how well the vectors agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--field", default="title")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop-titles", type=int, default=1000, help="the loop sees so many")
    given = parser.parse_args()
    titles = titles_of(given.folder, given.field)
    rates: dict[str, list[float]] = {"ours": [], "one call": [], "loop": []}
    for _ in range(given.rounds):
        rate, mine = timed(ours, titles)
        rates["ours"].append(rate)
        rate, plain = timed(one_call, titles)
        rates["one call"].append(rate)
        rates["loop"].append(timed(loop, titles[: given.loop_titles])[0])
    norms = np.linalg.norm(mine, axis=1) * np.linalg.norm(plain, axis=1)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    report = {"titles": len(titles), "different": len(set(titles)), "titles_a_second": medians}
    report["ratio to one call"] = medians["ours"] / medians["one call"]
    report["ratio to the loop"] = medians["ours"] / medians["loop"]
    report["least cosine"] = float(((mine * plain).sum(1) / norms).min())
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
