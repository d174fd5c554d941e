"""A small prepared data set without any download: what the examples in the docs run on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dataset_prep.format.atomic import write_atomic
from dataset_prep.format.content import write_content
from dataset_prep.format.fields import SPLITS
from dataset_prep.interactions.log import Log, occurrences
from dataset_prep.protocols.item_holdout import item_holdout

NAME = "example"
GENRES = "abcd"
USERS, ITEMS_PER_GENRE, HISTORY = 60, 12, 9
DIM = 16
"""Dimension of the content vectors, and of the item embeddings."""


def example_data(folder: str | Path = "data", seed: int = 0) -> dict[str, Any]:
    """Write the data set ``example``, and give the settings to train on it within a second.

    60 users take 9 items each, all from one of four genres of 12 items: ``a0`` to ``d11``, by
    genre and number. Content vectors are a genre's centre plus noise, so they tell which user takes
    an item, cold ones too. The protocol is ``item_holdout`` with random cold items.

    Args:
        folder: folder of data sets, RecBole's ``data_path``; the files are in ``folder/example``.
        seed: seed of the interactions, the vectors and the choice of cold items.

    Returns:
        settings of a run: ``data_path``, sizes for so little data, and no output. Logs and
        checkpoints go to the working directory, as RecBole's do.

    Raises:
        OSError: a file cannot be written.

    Example:
        >>> from recbole_delta import run
        >>> result = run("SASRecDelta", "example", settings=example_data())
        >>> result.test_mode["cases"]
        {'total': 112, 'cold': 52, 'warm': 60}
    """
    rng = np.random.default_rng(seed)
    folder = Path(folder)
    log, split, _ = item_holdout(_log(rng), cold="random", fraction=0.15, seed=seed)
    trained = occurrences(log.item, len(log.items), split == SPLITS.index("train"))
    centre = rng.normal(size=(len(GENRES), DIM))
    genre = np.array([GENRES.index(item[0]) for item in log.items])
    vectors = centre[genre] + 0.3 * rng.normal(size=(len(genre), DIM))
    place = folder / NAME
    place.mkdir(parents=True, exist_ok=True)
    inter = {"user_id": "token", "item_id": "token", "timestamp": "float", "split": "token"}
    write_atomic(log.frames(split, SPLITS), inter, place / f"{NAME}.inter")
    items = pl.DataFrame(
        {
            "item_id": log.items,
            "is_cold": np.where(trained > 0, "0", "1"),
            "train_count": trained,
        }
    )
    item = {"item_id": "token", "is_cold": "token", "train_count": "float"}
    write_atomic([items], item, place / f"{NAME}.item")
    write_content(place / f"{NAME}.content.synthetic.safetensors", log.items.to_list(), vectors)
    return {
        "data_path": str(folder),
        "hidden_size": DIM,
        "inner_size": DIM,
        "embedding_size": DIM,
        "MAX_ITEM_LIST_LENGTH": HISTORY,
        "train_batch_size": 16,
        "learning_rate": 0.01,
        "epochs": 5,
        "show_progress": False,
        "state": "ERROR",
    }


def _log(rng: np.random.Generator) -> Log:
    """Every user's first item, then every user's second one, and so on, a minute each."""
    names = pl.Series([f"{genre}{n}" for genre in GENRES for n in range(ITEMS_PER_GENRE)])
    first = np.arange(USERS) % len(GENRES) * ITEMS_PER_GENRE
    chosen = np.array([rng.permutation(ITEMS_PER_GENRE)[:HISTORY] for _ in range(USERS)])
    return Log(
        user=np.tile(np.arange(USERS, dtype=np.int32), HISTORY),
        item=(first[:, None] + chosen).T.ravel().astype(np.int32),
        time=1_700_000_000 + 60 * np.arange(USERS * HISTORY),
        users=pl.Series([f"u{n}" for n in range(USERS)]),
        items=names,
    )
