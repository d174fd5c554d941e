"""How items become vectors, as a user chooses it; no encoder is loaded to read or check it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataset_prep.errors import DeltaError, at_least_1

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
"""The text model that comes with the installation."""

WITHOUT_CONTENT = ("error", "drop")
"""What is done about items without content."""

ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3")
"""Endings of the audio files that are read; other files of the folder are passed over."""


@dataclass(frozen=True)
class AudioOptions:
    """How an audio file is cut into segments and encoded.

    Attributes:
        encoder: ``mel``, a bundle of torchaudio, or the folder of a transformers model.
        rate: samples per second that files are resampled to; a network takes only its own rate.
        seconds: length of a segment; the vectors of a file's segments are averaged.
        segments: the most segments of a file; they are evenly spread over it.

    Raises:
        DeltaError: a number is too small, or a segment is too short or too long.
    """

    encoder: str = "mel"
    rate: int = 16_000
    seconds: float = 10.0
    segments: int = 3

    def __post_init__(self) -> None:
        for name in ("rate", "segments"):
            at_least_1(name, getattr(self, name))
        if not 1024 <= self.rate * self.seconds < 2**31:
            raise DeltaError(
                f"A segment must have at least 1024 samples, but {self.seconds} seconds at "
                f"{self.rate} a second are {self.rate * self.seconds:g}."
            )


@dataclass(frozen=True)
class ContentOptions:
    """How items become content vectors: from their texts, audio files or ready vectors.

    The vectors of all kinds of content that are asked for are put side by side. No dimension is
    reduced here; recbole_delta does that when it trains.

    Attributes:
        encoder: a sentence-transformers model by name or path. None: all-MiniLM-L6-v2 if there
            is neither audio nor a ready vector, and no text is encoded otherwise.
        template: the text of an item with names of fields in braces; None for the template of
            the raw format.
        prefix: text put before every item's text, such as e5's "query: ".
        missing: text put in place of a field that an item lacks. Without it, an item that has
            none of the template's fields is one without content.
        audio: folder with one audio file for each item, named by the item id.
        audio_options: how the audio files are encoded.
        vectors: file of ready vectors in any form that
            :func:`dataset_prep.encoders.ready.read_vectors` takes.
        without_content: what happens to an item without a line, a filled field of the template,
            an audio file that can be decoded and holds sound, or a vector: with ``error`` the
            preparation stops, with ``drop`` the item's interactions are dropped and name.json
            lists the item.
        cache: folder in which encodings are kept; None for ``.content`` beside the data sets.
        devices: devices of the text encoder, such as ``("cuda:0", "cuda:1")``, one process
            each; none for every GPU, or else the CPU.
        workers: threads that decode audio; None for one per core, at most 8.

    Raises:
        DeltaError: ``without_content`` or ``workers`` has a value that it cannot have.

    Example:
        Describe items by title and brand, encoded by an e5 model, and drop items that have no
        line in the file of items:

        >>> from dataset_prep import ContentOptions
        >>> content = ContentOptions(
        ...     encoder="intfloat/e5-base-v2",
        ...     template="{title}; {brand}",
        ...     prefix="query: ",
        ...     without_content="drop",
        ... )
        >>> content.prefix + content.template.format(title="Lip balm", brand="Acme")
        'query: Lip balm; Acme'

        A wrong value is refused at once:

        >>> ContentOptions(without_content="keep")
        Traceback (most recent call last):
            ...
        dataset_prep.errors.DeltaError: without_content must be error or drop, but is 'keep'.
    """

    encoder: str | None = None
    template: str | None = None
    prefix: str = ""
    missing: str = ""
    audio: Path | None = None
    audio_options: AudioOptions = field(default_factory=AudioOptions)
    vectors: Path | None = None
    without_content: str = "error"
    cache: Path | None = None
    devices: Sequence[str] = ()
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.without_content not in WITHOUT_CONTENT:
            raise DeltaError(
                f"without_content must be error or drop, but is {self.without_content!r}."
            )
        if self.workers is not None:
            at_least_1("workers", self.workers)
