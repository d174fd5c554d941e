"""Content vectors of the items of a data set: texts, audio and ready vectors, side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dataset_prep.encoders.options import (
    DEFAULT_ENCODER,
    ENDINGS,
    AudioOptions,
    ContentOptions,
)
from dataset_prep.encoders.ready import list_matrix, read_vectors
from dataset_prep.errors import DeltaError
from dataset_prep.format.content import ContentTable
from dataset_prep.format.fields import COLD_FIELD, COUNT_FIELD
from dataset_prep.sources.registry import RawData, Source


class ItemsWithoutContent(DeltaError):
    """Some items have no content.

    Attributes:
        reasons: by item, why it has none.

    Args:
        reasons: by item, why it has none; at least one.
        n_items: number of all items.
    """

    def __init__(self, reasons: Mapping[str, str], n_items: int) -> None:
        self.reasons = dict(reasons)
        item, reason = next(iter(reasons.items()))
        super().__init__(
            f"{len(reasons)} of {n_items} items have no content, {item!r} among them: {reason}; "
            "add it, or leave such items out (--without-content drop)."
        )


@dataclass(frozen=True)
class ItemVectors:
    """Content vectors in the order of the items.

    Attributes:
        name: names of the encoders, which the name of the content file contains.
        matrix: ``[n, dim]`` float32.
        described: how the vectors were made, for ``name.json``.
    """

    name: str
    matrix: np.ndarray
    described: dict[str, Any]


def encode_items(
    data: RawData, items: pl.DataFrame, options: ContentOptions, origin: Source, out: Path
) -> ItemVectors:
    """Encode every kind of content that the options ask for.

    Args:
        data: the raw data set, which may have vectors of its own.
        items: ``item_id`` and the fields of the texts; one row for each of ``n`` items.
        options: how items become vectors.
        origin: the raw format, whose template is the default.
        out: folder of data sets, in which the cache is by default.

    Returns:
        Vectors of the items, in their order.

    Raises:
        ItemsWithoutContent: some lack an audio file that can be decoded, a vector, or a text.
        DeltaError: a file or a setting that cannot be used.
    """
    cache = options.cache or out / ".content"
    tokens = items["item_id"].to_list()
    parts = []
    if options.vectors is not None:
        parts.append(_ready(read_vectors(Path(options.vectors)), tokens, "ready"))
    if data.vectors is not None:
        parts.append(_ready(_own(data, tokens), tokens, "own"))
    if options.audio is not None:
        parts.append(_audio(tokens, Path(options.audio), options, cache))
    elif options.audio_options != AudioOptions():
        raise DeltaError("Settings of audio need a folder of audio files (--audio DIR).")
    if options.encoder is not None or not parts:
        parts.append(_text(items, options, origin, cache))
    elif options.template or options.prefix or options.missing or options.devices:
        raise DeltaError(
            "template, prefix, missing and devices are for texts, and none are encoded beside "
            f"{parts[0].name}; name an encoder too."
        )
    described: dict[str, Any] = {}
    for part in parts:
        described |= part.described
    name = "+".join(part.name for part in parts)
    return ItemVectors(name, np.hstack([part.matrix for part in parts]), described)


def check_texts(data: RawData, options: ContentOptions) -> None:
    """Refuse to encode the texts of items that have none.

    Args:
        data: the raw data set.
        options: how items become vectors.

    Raises:
        DeltaError: there is no file of items, and the options ask for texts or for nothing else.
    """
    described = options.vectors or options.audio or data.vectors is not None
    if data.items is None and (options.encoder or not described):
        raise DeltaError(
            f"{data.first} comes without a file of items, so there is no text to encode; add it "
            f"({data.items_file}), or give vectors or audio alone (--vectors FILE, --audio DIR)."
        )


def _text(items: pl.DataFrame, options: ContentOptions, origin: Source, cache: Path) -> ItemVectors:
    # Not at the top: torch takes seconds to load, and nobody who encodes no texts waits for it.
    from dataset_prep.encoders.text import TextEncoder, item_texts

    template = options.template or origin.template
    if not template:
        raise DeltaError(f"{origin.name} has no texts; leave out the encoder.")
    model = options.encoder or DEFAULT_ENCODER
    encoder = TextEncoder(model, cache, options.devices)
    # What a model must not know of an item is no part of its text.
    texts_of = item_texts(
        items.drop(COLD_FIELD, COUNT_FIELD, strict=False), template, options.missing
    )
    filled = dict(zip(items["item_id"], texts_of))
    reasons = {
        token: f"all fields of its text {template!r} are empty"
        for token, text in filled.items()
        if text is None
    }
    if reasons:
        raise ItemsWithoutContent(reasons, len(items))
    texts = [f"{options.prefix}{text}" for text in filled.values()]
    settings = {"template": template, "prefix": options.prefix, "missing": options.missing}
    described = {"text": {"encoder": model, "files": encoder.fingerprint, **settings}}
    return ItemVectors(encoder.name, encoder.encode(texts), described)


def _audio(
    tokens: Sequence[str], folder: Path, options: ContentOptions, cache: Path
) -> ItemVectors:
    from dataset_prep.encoders.audio import AudioEncoder  # here because of torch, like the text's

    if not folder.is_dir():
        raise DeltaError(f"There is no folder of audio files {folder}.")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in ENDINGS and path.is_file():
            other = files.setdefault(path.stem, path)
            if other != path:
                raise DeltaError(f"{folder} has both {other.name} and {path.name}; keep one.")
    reasons = {token: f"{folder} has no audio file of it" for token in tokens if token not in files}
    having = [token for token in tokens if token in files]
    encoder = AudioEncoder(options.audio_options, cache, options.workers)
    rows, refused = encoder.encode([files[token] for token in having])
    reasons |= {token: refused[files[token]] for token in having if files[token] in refused}
    if reasons:
        raise ItemsWithoutContent(reasons, len(tokens))
    matrix = np.stack([row for row in rows if row is not None])
    described = {**asdict(options.audio_options), "files": encoder.fingerprint}
    return ItemVectors(encoder.name, matrix, {"audio": described})


def _own(data: RawData, tokens: Sequence[str]) -> ContentTable:
    assert data.vectors is not None
    rows = data.vectors.filter(pl.col("item_id").is_in(tokens)).collect()
    source = data.files[-1].name
    return ContentTable(rows["item_id"].to_list(), list_matrix(rows["vector"], source), source)


def _ready(table: ContentTable, tokens: Sequence[str], name: str) -> ItemVectors:
    known, source = set(table.tokens), Path(table.source).name
    reasons = {token: f"{source} has no vector of it" for token in tokens if token not in known}
    if reasons:
        raise ItemsWithoutContent(reasons, len(tokens))
    matrix = table.align(tokens)
    digest = hashlib.sha256(matrix.tobytes()).hexdigest()
    return ItemVectors(name, matrix, {name: {"file": source, "vectors": digest}})
