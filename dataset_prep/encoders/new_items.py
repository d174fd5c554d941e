"""Content of items that come after training, encoded in the way of the items before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataset_prep.encoders.audio import AudioEncoder
from dataset_prep.encoders.options import ENDINGS, AudioOptions
from dataset_prep.encoders.ready import read_vectors
from dataset_prep.encoders.text import TextEncoder, item_texts
from dataset_prep.errors import DeltaError
from dataset_prep.format.content import ContentTable
from dataset_prep.sources.table import read_items


@dataclass(frozen=True)
class NewItems:
    r"""Where the content of new items is: one place for each kind of content of the data set.

    Attributes:
        items: a table (CSV, TSV, Parquet, JSON lines) with ``item_id`` and the texts' fields.
        audio: folder with one audio file for each item, named by the item id.
        vectors: file of ready vectors in any form that
            :func:`dataset_prep.encoders.ready.read_vectors` takes.
        cache: folder in which encodings are kept.

    Example:
        New items of a data set that has texts. How these are encoded is the entry ``content`` of
        the data set's ``name.json``, or ``Recommender.encoding`` of a checkpoint:

        >>> import tempfile
        >>> from pathlib import Path
        >>> from dataset_prep.encoders.new_items import NewItems
        >>> from dataset_prep.encoders.text import TextEncoder
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     cache, path = Path(folder, "cache"), Path(folder, "new.csv")
        ...     model = TextEncoder("all-MiniLM-L6-v2", cache)
        ...     text = {"encoder": "all-MiniLM-L6-v2", "files": model.fingerprint}
        ...     text |= {"template": "{title}", "prefix": "", "missing": ""}
        ...     _ = path.write_text("item_id,title\nsong-1,So What", encoding="utf-8")
        ...     table = NewItems(items=path, cache=cache).encode({"text": text})
        >>> table.tokens, table.vectors.shape
        (['song-1'], (1, 384))
    """

    items: Path | None = None
    audio: Path | None = None
    vectors: Path | None = None
    cache: Path = Path(".content")

    def encode(self, described: Mapping[str, Any]) -> ContentTable:
        """Encode the new items, kinds of content side by side in the order of the data set.

        Args:
            described: how dataset_prep made the data set's content: the entry ``content`` of its
                ``name.json``, or what a checkpoint says. If it is empty, ready vectors are taken
                as they are.

        Returns:
            Vectors of the new items.

        Raises:
            DeltaError: a kind of content is missing or too many, the encoder is another one, a
                file cannot be used, or an item's text has no filled field.
        """
        if not described:
            if self.vectors is None or self.items or self.audio:
                raise DeltaError(
                    "The run's content was not made by dataset_prep, so new items need their "
                    "vectors (--vectors FILE), made as those were, and nothing else."
                )
            return read_vectors(self.vectors)
        _check_described(described)
        given = {"text": self.items, "audio": self.audio, "ready": self.vectors}
        # New items have no place in the data set, so its own kind of vectors comes as a file.
        # Both kinds of ready vectors stand side by side there, as they do in the data set.
        wanted = list(dict.fromkeys("ready" if kind == "own" else kind for kind in described))
        for kind, source in given.items():
            if (source is None) == (kind in wanted):
                needs = " and ".join(_OPTION[each] for each in wanted)
                raise DeltaError(f"The run's items are described by {', '.join(described)}: "
                                 f"new ones need {needs}, and nothing else.")  # fmt: skip
        parts = [self._part(kind, described) for kind in wanted]
        tokens = parts[0].tokens
        for part in parts[1:]:
            if set(part.tokens) != set(tokens):
                other = sorted(set(part.tokens) ^ set(tokens))[0]
                raise DeltaError(f"{parts[0].source} and {part.source} differ in {other!r}; "
                                 "every new item needs all kinds of content.")  # fmt: skip
        matrix = np.hstack([part.align(tokens) for part in parts])
        return ContentTable(tokens, matrix, parts[0].source)

    def _part(self, kind: str, described: Mapping[str, Any]) -> ContentTable:
        if kind == "text":
            assert self.items is not None
            return _texts(self.items, described["text"], self.cache)
        if kind == "audio":
            assert self.audio is not None
            return _audio(self.audio, described["audio"], self.cache)
        assert self.vectors is not None
        return read_vectors(self.vectors)


_TEXT = ("encoder", "files", "template", "prefix", "missing")
_OPTION = {"text": "--items FILE", "audio": "--audio DIR", "ready": "--vectors FILE"}


def _check_described(described: Mapping[str, Any]) -> None:
    """Refuse a description that dataset_prep cannot have written: files come from anywhere."""
    texts = described.get("text", dict.fromkeys(_TEXT, "")) if isinstance(described, dict) else {}
    whole = isinstance(texts, dict) and all(isinstance(texts.get(name), str) for name in _TEXT)
    if not whole or not described.keys() <= {*_OPTION, "own"}:
        raise DeltaError(
            "The checkpoint does not say how its content was made; use a whole copy of it."
        )


def _texts(path: Path, how: Mapping[str, Any], cache: Path) -> ContentTable:
    items = read_items(path)
    if items.is_empty():
        raise DeltaError(f"{path} has a header and no items.")
    encoder = TextEncoder(how["encoder"], cache)
    _check_same("text model", how, encoder.fingerprint)
    tokens = items["item_id"].to_list()
    texts = []
    for token, text in zip(tokens, item_texts(items, how["template"], how["missing"])):
        if text is None:
            raise DeltaError(
                f"{path}: all fields of the text {how['template']!r} of item {token!r} are empty; "
                "fill one, or leave the item out."
            )
        texts.append(how["prefix"] + text)
    return ContentTable(tokens, encoder.encode(texts), str(path))


def _audio(folder: Path, how: Mapping[str, Any], cache: Path) -> ContentTable:
    files = [p for p in sorted(folder.glob("*")) if p.suffix.lower() in ENDINGS and p.is_file()]
    if not files:
        raise DeltaError(f"There are no audio files in {folder}.")
    try:
        options = AudioOptions(**{name: value for name, value in how.items() if name != "files"})
    except TypeError as error:
        raise DeltaError(f"The checkpoint does not say how audio was encoded ({error}).") from error
    encoder = AudioEncoder(options, cache, None)
    _check_same("audio model", how, encoder.fingerprint)
    rows, refused = encoder.encode(files)
    if refused:
        path, reason = next(iter(refused.items()))
        raise DeltaError(f"{path}: {reason}; fix it, or leave the item out.")
    matrix = np.stack([row for row in rows if row is not None])
    return ContentTable([path.stem for path in files], matrix, str(folder))


def _check_same(kind: str, how: Mapping[str, Any], files: str) -> None:
    """Refuse an encoder whose files are not those of the run's; older runs do not say of audio."""
    if how.get("files", files) != files:
        raise DeltaError(
            f"The {kind} {how['encoder']} is not the one that the run's items were encoded with; "
            "its files differ. Use that one."
        )
