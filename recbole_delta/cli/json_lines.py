"""Recommendations for histories in JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any

from dataset_prep.errors import DeltaError
from recbole_delta.serving.recommender import Recommender

LINES_AT_ONCE = 1024
"""Lines that are read before the first is answered."""


def recommend_lines(
    recommender: Recommender, lines: Iterable[str], name: str, **options: Any
) -> Iterator[str]:
    """A line of recommendations for each line with a history.

    Args:
        recommender: recommender of a trained run.
        lines: JSON objects ``{"history": ["item", ...], ...}``; further keys come back as they are.
        name: name of the input, for messages.
        options: keyword arguments of :meth:`Recommender.recommend`.

    Yields:
        a JSON object for each line, with ``items``: ``[{"item": ..., "score": ...}, ...]``, best
        first, in the place of ``history``.

    Raises:
        DeltaError: a line is no such object, or has an unknown item.
    """
    numbered = ((n, line) for n, line in enumerate(lines, 1) if line.strip())
    while block := [(n, _parsed(line, n, name)) for n, line in islice(numbered, LINES_AT_ONCE)]:
        for n, each in block:
            recommender.check_history(each["history"], f"{name}, line {n}: history")
        found = recommender.recommend([each["history"] for _, each in block], **options)
        for (_, given), items in zip(block, found):
            others = {key: value for key, value in given.items() if key != "history"}
            yield json.dumps(others | {"items": [asdict(item) for item in items]})


def read_histories(recommender: Recommender, lines: Iterable[str], name: str) -> list[list[str]]:
    """The histories of JSON lines.

    Args:
        recommender: recommender of a trained run.
        lines: JSON objects ``{"history": ["item", ...], ...}``; empty lines are skipped.
        name: name of the input, for messages.

    Raises:
        DeltaError: a line is no such object, or has an unknown item.
    """
    found = []
    for n, line in enumerate(lines, 1):
        if line.strip():
            history = _parsed(line, n, name)["history"]
            recommender.check_history(history, f"{name}, line {n}: history")
            found.append(history)
    return found


def _parsed(line: str, number: int, name: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DeltaError(f"{name}, line {number} is not JSON ({error}).") from error
    if not isinstance(value, dict) or not isinstance(value.get("history"), list):
        raise DeltaError(f'{name}, line {number} must be like {{"history": ["item", "item"]}}.')
    return value
