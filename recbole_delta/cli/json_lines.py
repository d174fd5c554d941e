"""Histories in JSON lines, read as they come in and answered line by line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from select import select
from typing import Any, BinaryIO

from dataset_prep.errors import DeltaError
from recbole_delta.serving.recommender import Recommender

CHUNK = 2**16
"""Bytes that are read at a time, at most; the lines in them are answered together."""

HELD = 2**18
"""Recommended items that are held at a time, at most; a chunk may have thousands of lines."""


@dataclass(frozen=True)
class Source:
    """Where lines come from.

    Attributes:
        name: name of the file, for messages.
        file: bytes of the file; a read gives what is there, as that of a pipe does.
    """

    name: str
    file: BinaryIO

    def batches(self) -> Iterator[list[tuple[str, bytes]]]:
        """The lines that one read has completed, each with its name for messages.

        A file gives the same batches each time, a pipe what has been written to it. Empty lines are
        passed over.

        Raises:
            DeltaError: the file cannot be read any further.
        """
        number, begun = 0, [b""]
        while chunk := self._read():
            *ended, rest = chunk.split(b"\n")
            if not ended:  # a line may be long
                begun.append(rest)
                continue
            ended[0] = b"".join([*begun, ended[0]])
            begun = [rest]
            yield self._named(number, ended)
            number += len(ended)
        yield self._named(number, [b"".join(begun)])

    def _read(self) -> bytes:
        try:
            while (chunk := self.file.read(CHUNK)) is None:  # a pipe that does not block is empty
                select([self.file], [], [])
            return chunk
        except OSError as error:
            raise DeltaError(f"Cannot read {self.name} ({error}).") from error

    def _named(self, before: int, lines: list[bytes]) -> list[tuple[str, bytes]]:
        numbered = enumerate(lines, before + 1)
        return [(f"{self.name}, line {n}", line) for n, line in numbered if line.strip()]


@contextmanager
def opened(path: str | None) -> Iterator[Source]:
    """A file of JSON lines.

    Args:
        path: path of the file; None for standard input.

    Raises:
        DeltaError: it cannot be opened.
    """
    if path is None:
        if sys.stdin is None:
            raise DeltaError("Standard input is closed; name a file of histories.")
        yield Source("standard input", getattr(sys.stdin.buffer, "raw", sys.stdin.buffer))
        return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(path).open("rb", buffering=0))
        except OSError as error:
            raise DeltaError(f"Cannot read {path} ({error}).") from error
        yield Source(path, file)  # type: ignore[arg-type]  # of the two, only read is used


@dataclass
class Answers:
    """Recommendations for lines with a history, whatever stands in the lines beside them.

    Args:
        recommender: recommender of a trained run.
        options: keyword arguments of :meth:`Recommender.recommend`.
        skip_unknown: leave ids that are unknown out of histories.

    Attributes:
        answered: number of lines with recommendations.
        refused: why each of the other lines has none.
        skipped: number of ids that were left out.
    """

    recommender: Recommender
    options: dict[str, Any]
    skip_unknown: bool = False
    answered: int = 0
    refused: list[str] = field(default_factory=list)
    skipped: int = 0

    def __post_init__(self) -> None:
        self._known = set(self.recommender.known_items)

    def to(self, lines: list[tuple[str, bytes]]) -> Iterator[str]:
        """A line of JSON for each line, in their order.

        Args:
            lines: JSON objects ``{"history": ["item", ...], ...}``, each with its name.

        Yields:
            the object with, in the place of ``history``, either ``items``: ``[{"item": ...,
            "score": ...}, ...]``, best first, or ``error``: why there are none.
        """
        most = max(1, HELD // min(self.options["k"], max(1, len(self.recommender.items))))
        for first in range(0, len(lines), most):
            yield from self._answers(lines[first : first + most])

    def _answers(self, lines: list[tuple[str, bytes]]) -> Iterator[str]:
        given = [self._read(name, line) for name, line in lines]
        histories = [each["history"] for each in given if "error" not in each]
        found = iter(self.recommender.recommend(histories, **self.options))
        for each in given:
            others = {key: value for key, value in each.items() if key != "history"}
            if "error" in each:
                self.refused.append(each["error"])
                yield json.dumps(others)
            else:
                self.answered += 1
                yield json.dumps(others | {"items": [asdict(item) for item in next(found)]})

    def _read(self, name: str, line: bytes) -> dict[str, Any]:
        """What a line says, with an ``error`` if it cannot be served."""
        given: dict[str, Any] = {}
        try:
            given = _parsed(name, line)
            for ours in ("error", "items"):
                given.pop(ours, None)
            if self.skip_unknown:
                kept = [each for each in given["history"] if not self._is_unknown(each)]
                self.skipped += len(given["history"]) - len(kept)
                given["history"] = kept
            self.recommender.check_history(given["history"], f"{name}: history")
        except DeltaError as error:
            given["error"] = str(error)
        return given

    def _is_unknown(self, token: Any) -> bool:
        return isinstance(token, str) and token not in self._known


def read_histories(recommender: Recommender, source: Source) -> list[list[str]]:
    """The histories of all lines.

    Args:
        recommender: recommender of a trained run.
        source: JSON objects ``{"history": ["item", ...], ...}``; empty lines are skipped.

    Raises:
        DeltaError: a line is no such object, or has an unknown item.
    """
    found = []
    for lines in source.batches():
        for name, line in lines:
            history = _parsed(name, line)["history"]
            recommender.check_history(history, f"{name}: history")
            found.append(history)
    return found


def _parsed(name: str, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DeltaError(f"{name} is not JSON ({error}).") from error
    if not isinstance(value, dict) or not isinstance(value.get("history"), list):
        raise DeltaError(f'{name} must be like {{"history": ["item", "item"]}}.')
    return value
