"""Encodings on disk, kept by what was encoded and how."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from recbole_delta.files import replacing

T = TypeVar("T")


class VectorCache:
    """Vectors by the SHA-256 of their content, in one folder for each encoder.

    A write adds a file of its own, whole or not at all: what a killed run has encoded stays,
    and two runs at once lose at most the time of encoding the same thing twice.

    Args:
        folder: of one encoder with its settings.
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
                # What cannot be read is encoded again.
                continue

    def complete(
        self,
        wanted: Mapping[bytes, T],
        encode: Callable[[Sequence[T]], np.ndarray],
        *,
        chunk: int,
        label: str,
        unit: str,
    ) -> dict[bytes, np.ndarray]:
        """Vectors of all ``wanted``; only those not in the cache are encoded.

        Args:
            wanted: what is to be encoded, by key, in the order in which to encode it.
            encode: vectors ``[len(part), dim]`` of a part of it.
            chunk: things between two writes: what a killed run loses at most.
            label: of the progress bar.
            unit: what one thing is called there.
        """
        missing = [key for key in wanted if key not in self._known]
        with tqdm(total=len(missing), desc=label, unit=unit, disable=not missing) as bar:
            for first in range(0, len(missing), chunk):
                keys = missing[first : first + chunk]
                vectors = encode([wanted[key] for key in keys]).astype(np.float32)
                self._add(keys, vectors)
                bar.update(len(keys))
        return {key: self._known[key] for key in wanted}

    def _add(self, keys: Sequence[bytes], vectors: np.ndarray) -> None:
        packed = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), -1)
        with replacing(self._folder / f"{uuid.uuid4().hex}.safetensors") as temporary:
            save_file({"keys": packed, "vectors": np.ascontiguousarray(vectors)}, temporary)
        self._known.update(zip(keys, vectors))
