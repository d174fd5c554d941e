"""Searching a catalogue of a million: what is found, how fast, how soon, in how much memory.

    OMP_NUM_THREADS=1 python benchmarks/search.py dataset/amazon-2014-paper --epochs 6

A model is trained and its catalogue grown to ``--items`` as in ``serve.py``. Then all searches take
turns on the same vectors and the same representations of test histories. Times are processor time,
which is the time on the clock where one thread has a core to itself; rates are medians of
``--rounds``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
from measure import machine
from serve import between, histories, trained
from torch import Tensor

from dataset_prep.format.content import find_content, read_content
from recbole_delta import Recommender
from recbole_delta.compute.matmul import quick_float32
from recbole_delta.serving.group_maxima import BLOCK, Allowed
from recbole_delta.serving.screening import ScreenedVectors
from recbole_delta.serving.search import VectorSearch, _best_of_all

K = 10
NO_ONE = torch.empty(0, dtype=torch.int64)


@dataclass
class Way:
    """A search: seconds to build and to open it, GiB, and the items it finds, ``[B, 10]``."""

    search: Callable[[Tensor], np.ndarray | None]
    built: float
    opened: float
    memory: float


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--checkpoint", help="of a model that was trained on the data before")
    given = parser.parse_args()
    faiss.omp_set_num_threads(1)
    torch.set_num_threads(1)
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = given.checkpoint or trained(given.data, Path(folder), given.epochs)
        with torch.no_grad(), quick_float32(torch.device("cpu")):
            vectors, query = grown(Recommender(checkpoint), given)
            compare(ways(vectors, Path(folder)), query, given.rounds)
            where_it_pays(vectors, query, given.rounds)


def grown(recommender: Recommender, given: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Vectors of items, made-up ones included, and representations of test histories."""
    content = read_content(find_content(given.data, given.data.name)).vectors
    more = max(0, given.items - len(recommender.items))
    if more:
        recommender.add_items([f"made-up {n}" for n in range(more)], between(content, more))
    asked = histories(given.data)[: given.users]
    search = VectorSearch(recommender.model)
    query = search._query([recommender.check_history(each, "A history") for each in asked])
    return search._vectors(torch.arange(len(recommender.known_items) + 1)), query


def ways(vectors: Tensor, folder: Path) -> dict[str, Way]:
    """All searches, each built and opened."""
    n, dim = vectors.shape
    lists = int(2 * n**0.5)
    codes = f"PQ{dim // 2}x4fs,RFlat"
    # As warm_offset gives, and laid out as the package does.
    constant = torch.randint(10, (n,), generator=torch.Generator().manual_seed(0)) / 4
    order = constant.argsort(stable=True)
    found = {
        "ours, in bytes": ours(vectors, in_bytes=True),
        "ours, in float32": ours(vectors, in_bytes=False),
        "ours, in bytes, ten constants": ours(vectors[order], True, constant[order]),
        "the same, constants scattered": ours(vectors, True, constant),
        "products alone, torch": Way(lambda query: products(query, vectors), 0.0, 0.0, 0.0),
    }
    for name, factor in [
        ("Flat", None),
        (f"IVF{lists},{codes}", 10),  # what this package had before
        (codes, 10),
        (codes, 30),
    ]:
        title = f"faiss {name}" + (f", k_factor {factor}" if factor else "")
        found[title] = by_faiss(name, factor, vectors.numpy(), folder / "index", lists // 2)
        print(f"{title}: built in {found[title].built:.1f} s", flush=True)
    return found


def ours(vectors: Tensor, in_bytes: bool, offset: Tensor | None = None) -> Way:
    """The package's search over vectors that are there, with a constant on each or none."""
    started = time.process_time()
    screened = ScreenedVectors(vectors, in_bytes)
    built = time.process_time() - started
    allowed = Allowed(torch.arange(len(vectors)) > 0, offset, NO_ONE, NO_ONE)
    memory = sum(each.nbytes for each in vars(screened).values() if isinstance(each, Tensor))

    def search(query: Tensor) -> np.ndarray | None:
        found = screened.best(query, K, allowed)[1].numpy()
        return found if offset is None else None  # with constants others are the best

    return Way(search, built, built, memory)


def products(query: Tensor, vectors: Tensor) -> None:
    """The products that an exact search in float32 cannot do without."""
    for start in range(0, len(vectors), BLOCK):
        query @ vectors[start : start + BLOCK].T


def by_faiss(name: str, factor: int | None, vectors: np.ndarray, path: Path, probed: int) -> Way:
    """An index of faiss, written and read again."""
    started = time.process_time()
    index = faiss.index_factory(vectors.shape[1], name, faiss.METRIC_INNER_PRODUCT)
    if name.startswith("IVF"):
        clustering = faiss.extract_index_ivf(index).cp
        clustering.max_points_per_centroid, clustering.niter = 40, 6
    index.train(vectors)
    index.add(vectors)
    built = time.process_time() - started
    faiss.write_index(index, str(path))
    started = time.process_time()
    index = faiss.read_index(str(path))
    opened = time.process_time() - started
    options: dict[str, Any] = {}
    if factor:
        lists = faiss.SearchParametersIVF(nprobe=probed) if name.startswith("IVF") else None
        given = {"base_index_params": lists} if lists else {}
        options["params"] = faiss.IndexRefineSearchParameters(k_factor=factor, **given)
    size = path.stat().st_size
    return Way(lambda query: index.search(query.numpy(), K, **options)[1], built, opened, size)


def compare(them: dict[str, Way], query: Tensor, rounds: int) -> None:
    """Print a row for each search; faiss Flat says what should be found."""
    expected = them["faiss Flat"].search(query)
    times: dict[str, list[float]] = {name: [] for name in them}
    items: dict[str, np.ndarray | None] = {}
    for _ in range(rounds):
        for name, way in them.items():
            started = time.process_time()
            items[name] = way.search(query)
            times[name].append(time.process_time() - started)
    print("| search | built in | opened in | GiB | users a second | recall@10 |")
    print("|---|---|---|---|---|---|")
    for name, way in them.items():
        rate = len(query) / statistics.median(times[name])
        recall = "" if items[name] is None else f"{_recall(expected, items[name]):.4f}"
        print(f"| {name} | {way.built:.1f} s | {way.opened:.2f} s | {way.memory / 2**30:.2f} | "
              f"{rate:,.0f} | {recall} |")  # fmt: skip


def where_it_pays(vectors: Tensor, query: Tensor, rounds: int) -> None:
    """Print how fast screening is, and scoring all, over the first items of the catalogue."""
    print("| items | screened | all scored |\n|---|---|---|")
    for n in [size for size in (2**12, 2**14, 2**16, 2**18) if size <= len(vectors)]:
        few, chosen = vectors[:n], torch.arange(1, n)
        screened = ScreenedVectors(few, in_bytes=True)
        allowed = Allowed(torch.arange(n) > 0, None, NO_ONE, NO_ONE)
        step = max(64, 2**22 // n)
        turns: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            started = time.process_time()
            screened.best(query, K, allowed)
            between_them = time.process_time()
            for part in query.split(step):
                _best_of_all(part, few[1:], chosen, K, allowed)
            turns[0].append(between_them - started)
            turns[1].append(time.process_time() - between_them)
        rates = [f"{len(query) / statistics.median(each):,.0f}" for each in turns]
        print(f"| {n:,} | {' | '.join(rates)} |")


def _recall(expected: np.ndarray, found: np.ndarray) -> float:
    return float(np.mean([len({*one} & {*other}) for one, other in zip(expected, found)])) / K


if __name__ == "__main__":
    main()
