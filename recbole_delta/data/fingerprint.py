"""What a checkpoint says about its data set: digests of it, and how its content was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dataset_prep.errors import DeltaError
from dataset_prep.format.fields import SPLITS
from recbole_delta.data.dataset import ColdWarmDataset


def data_fingerprint(dataset: ColdWarmDataset) -> dict[str, str]:
    """SHA-256 of the ``items`` (tokens in the order of their ids) and of the ``rows``, in hex."""
    rows = hashlib.sha256()
    for column in (dataset.interactions.user, dataset.interactions.item):
        rows.update(column.astype(np.int64).tobytes())
    for code in range(len(SPLITS)):
        rows.update(np.packbits(dataset.interactions.split == code).tobytes())
    items = hashlib.sha256("\n".join(dataset.item_tokens).encode())
    return {"items": items.hexdigest(), "rows": rows.hexdigest()}


def encoding(dataset: ColdWarmDataset) -> dict[str, Any]:
    """How dataset_prep has made the content (encoder, template, ...); empty if it has not."""
    said = {} if dataset.settings.content_file else _preparation(dataset).get("content")
    return said if isinstance(said, dict) else {}


def expected_share(dataset: ColdWarmDataset) -> float | None:
    """The share of cold targets: as set, or as dataset_prep has estimated it; None without."""
    if dataset.settings.cold_share is not None:
        return dataset.settings.cold_share
    return estimated_share(_preparation(dataset))


def estimated_share(preparation: Mapping[str, Any]) -> float | None:
    """The share of cold targets that dataset_prep has estimated; None where it has none.

    Args:
        preparation: what a data set's ``name.json`` says.
    """
    said = preparation.get("cold_share")
    estimate = said.get("value") if isinstance(said, dict) else None
    return float(estimate) if isinstance(estimate, (int, float)) and 0 < estimate < 1 else None


def _preparation(dataset: ColdWarmDataset) -> dict[str, Any]:
    """What the data set's own ``name.json`` says of its preparation; empty if it does not."""
    return read_preparation(Path(dataset.dataset_path) / f"{dataset.dataset_name}.json")


def read_preparation(path: Path) -> dict[str, Any]:
    """What a data set's ``name.json`` says of its preparation; empty if it cannot be read."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def check_data(
    name: str, found: dict[str, str], expected: dict[str, str], path: str | Path
) -> None:
    """Check that a data set is the one that a checkpoint was trained on.

    Args:
        name: name of the data set.
        found: :func:`data_fingerprint` of the data set.
        expected: fingerprint in the checkpoint.
        path: path of the checkpoint, for the message.

    Raises:
        DeltaError: its items or rows have changed since.
    """
    for part, digest in found.items():
        if expected.get(part) != digest:
            raise DeltaError(
                f"The {part} of {name} are not those that {path} was trained on; "
                "prepare the data set as it was."
            )
