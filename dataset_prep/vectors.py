"""Vectors of the items: texts, audio, the source's own, alone or side by side."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dataset_prep.audio import ENDINGS, AudioEncoder, AudioOptions
from dataset_prep.source import RawData, Source
from dataset_prep.text import DEFAULT_ENCODER, TextEncoder, item_texts
from recbole_delta.content import ContentTable
from recbole_delta.errors import DeltaError


@dataclass(frozen=True)
class ContentOptions:
    """How items become vectors. What is asked for is put side by side; it is reduced later.

    Attributes:
        encoder: a sentence-transformers model by name or path. None: all-MiniLM-L6-v2 where
            there is neither audio nor vectors of the source's own.
        template: the text of an item; None for the source's own.
        prefix: stands before every text, such as e5's "query: ".
        missing: what stands for a field that an item lacks.
        audio: folder of one file an item, its name the item id.
        audio_options: how audio is encoded.
        cache: folder of the encodings; None for ``.content`` beside the data sets.
    """

    encoder: str | None = None
    template: str | None = None
    prefix: str = ""
    missing: str = ""
    audio: Path | None = None
    audio_options: AudioOptions = field(default_factory=AudioOptions)
    cache: Path | None = None


@dataclass(frozen=True)
class ItemVectors:
    """Vectors in the order of the items.

    Attributes:
        name: of the encoders, for the file's name.
        matrix: ``[n, dim]`` float32.
        described: what the record says of them.
    """

    name: str
    matrix: np.ndarray
    described: dict[str, Any]


def encode_items(
    data: RawData, items: pl.DataFrame, options: ContentOptions, origin: Source, out: Path
) -> ItemVectors:
    """Vectors of ``items``, every modality that the options ask for.

    Raises:
        DeltaError: an item without text fields, audio file or vector; a broken audio file.
    """
    cache = options.cache or out / ".content"
    parts = []
    own = data.vectors is not None and options.encoder is None and options.audio is None
    if own:
        parts.append(_own(data, items))
    if options.audio is not None:
        parts.append(_audio(items, options, cache))
    if options.encoder is not None or not parts:
        parts.append(_text(items, options, origin, cache))
    described: dict[str, Any] = {}
    for part in parts:
        described |= part.described
    name = "+".join(part.name for part in parts)
    return ItemVectors(name, np.hstack([part.matrix for part in parts]), described)


def _text(items: pl.DataFrame, options: ContentOptions, origin: Source, cache: Path) -> ItemVectors:
    template = options.template or origin.template
    if not template:
        raise DeltaError(f"{origin.name} has no texts; leave out the encoder.")
    model = options.encoder or DEFAULT_ENCODER
    encoder = TextEncoder(model, cache)
    texts = [options.prefix + text for text in item_texts(items, template, options.missing)]
    described = {"text": {"encoder": model, "template": template, "prefix": options.prefix}}
    return ItemVectors(encoder.name, encoder.encode(texts), described)


def _audio(items: pl.DataFrame, options: ContentOptions, cache: Path) -> ItemVectors:
    assert options.audio is not None
    files = {path.stem: path for path in options.audio.iterdir() if path.suffix in ENDINGS}
    tokens = items["item_id"].to_list()
    missing = [token for token in tokens if token not in files]
    if missing:
        raise DeltaError(
            f"{options.audio} has no audio file for {len(missing)} of {len(tokens)} items, "
            f"{missing[0]!r} among them."
        )
    encoder = AudioEncoder(options.audio_options, cache)
    matrix, refused = encoder.encode([files[token] for token in tokens])
    if refused:
        listed = ", ".join(path.name for path, _ in refused[:5])
        raise DeltaError(
            f"{len(refused)} audio files have no vector ({listed}): {refused[0][1]} "
            "Replace them, or leave their items out."
        )
    return ItemVectors(encoder.name, matrix, {"audio": asdict(options.audio_options)})


def _own(data: RawData, items: pl.DataFrame) -> ItemVectors:
    assert data.vectors is not None
    tokens = items["item_id"].to_list()
    rows = data.vectors.filter(pl.col("item_id").is_in(tokens)).collect()
    source = data.files[-1].name
    table = ContentTable(rows["item_id"].to_list(), _matrix(rows["vector"], source), source)
    return ItemVectors("own", table.align(tokens), {"vectors": source})


def _matrix(vectors: pl.Series, source: str) -> np.ndarray:
    """``[n, dim]`` float32 of a column of lists, without a Python object for each number."""
    if isinstance(vectors.dtype, pl.List):
        lengths = vectors.list.len().unique()
        if len(lengths) != 1:
            raise DeltaError(f"{source} has vectors of {len(lengths)} different lengths.")
        vectors = vectors.list.to_array(lengths[0])
    return vectors.to_numpy().astype(np.float32)
