"""Refusing what was typed, with what may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """Arguments that cannot be read; the message is one sentence.

    It is no ``DeltaError``, whose package takes longer to import than a refusal should take.
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a sentence that names what is nearest to a word; empty if nothing is near.

    Args:
        word: what was typed.
        known: what could have been typed.

    Example:
        >>> did_you_mean("recomend", ["recommend", "resume"])
        '; did you mean recommend?'
        >>> did_you_mean("xyz", ["recommend", "resume"])
        ''
    """
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def printable(text: str) -> str:
    r"""A text on one line, with what a terminal would obey or swallow in Python's escapes.

    Args:
        text: any text; it may quote a file.

    Example:
        >>> printable("There is no a\0b\x1b[2J.")
        'There is no a\\x00b\\x1b[2J.'
    """
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
