"""Encodings on disk, found again by what was encoded and how."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from dataset_prep.files import replacing

T = TypeVar("T")


class VectorCache:
    """Vectors by the SHA-256 of what they encode, in one folder for each encoder.

    Every write adds a file of its own, whole or not at all: the encodings of a killed run stay,
    and two runs at once lose at most the time of encoding the same thing twice.

    Args:
        folder: folder for one encoder with one choice of settings.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[bytes, np.ndarray] = {}
        for path in sorted(folder.glob("*.safetensors")):
            try:
                stored = load_file(path)
                pairs = zip(stored["keys"], stored["vectors"])
                self._known.update((key.tobytes(), vector) for key, vector in pairs)
            except (SafetensorError, KeyError):
                # The vectors of a damaged file are missing then, and so encoded again.
                continue

    def complete(
        self,
        wanted: Mapping[bytes, T],
        encode: Callable[[Sequence[T]], Iterable[np.ndarray | None]],
        *,
        chunk: int,
        label: str,
        unit: str,
    ) -> dict[bytes, np.ndarray]:
        """Vectors of all ``wanted`` things; only those not in the cache are encoded.

        Args:
            wanted: what is to be encoded, by key, in the order in which to encode it.
            encode: function that returns a vector for each thing of a list, or None for a thing
                that cannot be encoded; the result lacks such things.
            chunk: number of things between two writes, which a killed run loses at most.
            label: text beside the progress bar.
            unit: name of one thing in the progress bar.

        Returns:
            A vector ``[dim]`` by key.
        """
        missing = [key for key in wanted if key not in self._known]
        with tqdm(
            total=len(missing), desc=label, unit=unit, disable=None if missing else True
        ) as bar:
            for first in range(0, len(missing), chunk):
                keys = missing[first : first + chunk]
                vectors = encode([wanted[key] for key in keys])
                self._add({key: row for key, row in zip(keys, vectors) if row is not None})
                bar.update(len(keys))
        return {key: self._known[key] for key in wanted if key in self._known}

    def _add(self, vectors: Mapping[bytes, np.ndarray]) -> None:
        if not vectors:
            return
        keys = np.frombuffer(b"".join(vectors), dtype=np.uint8).reshape(len(vectors), -1)
        rows = np.stack([np.asarray(row, dtype=np.float32) for row in vectors.values()])
        with replacing(self._folder / f"{uuid.uuid4().hex}.safetensors") as temporary:
            save_file({"keys": keys, "vectors": rows}, temporary)
        self._known.update(zip(vectors, rows))
