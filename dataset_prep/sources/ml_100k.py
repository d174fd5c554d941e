"""MovieLens 100k, in the copy that RecBole ships."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from dataset_prep.source import RawData, source
from recbole_delta.errors import DeltaError


@source("ml-100k", template="{movie_title} ({release_year}). Genres: {class}")
def read_ml_100k(raw: Path | None) -> RawData:
    """MovieLens 100k with titles, years and genres, from RecBole's own folder.

    F. M. Harper and J. A. Konstan, "The MovieLens Datasets", ACM TiiS 5(4), 2015.
    """
    folder = raw or _folder_in_recbole()
    inter, item = folder / "ml-100k.inter", folder / "ml-100k.item"
    interactions = _read(inter, {"user_id:token": str, "item_id:token": str})
    items = _read(item, str)
    return RawData(
        interactions=interactions,
        items=items,
        item_types={"movie_title": "token_seq", "release_year": "token", "class": "token_seq"},
        files=(inter, item),
    )


def _folder_in_recbole() -> Path:
    spec = find_spec("recbole")
    if spec is None or spec.origin is None:
        raise DeltaError("RecBole is not installed, and ml-100k comes with it.")
    return Path(spec.origin).parent / "dataset_example" / "ml-100k"


def _read(path: Path, dtype: type | dict[str, type]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, sep="\t", dtype=dtype, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DeltaError(f"Cannot read {path}: {error}.") from error
    return frame.rename(columns=lambda column: column.split(":")[0])
