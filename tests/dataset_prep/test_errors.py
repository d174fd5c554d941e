"""What an error says."""

from __future__ import annotations

from dataset_prep.errors import LONGEST, DeltaError


def test_an_error_is_one_line_whatever_it_quotes():
    assert str(DeltaError("two\nlines\r\nand one\u2028more")) == "two lines and one more"
    message = str(DeltaError(f"Cannot read {'x' * 10**6}; mend it."))
    assert len(message) < LONGEST + 10
    assert message.startswith("Cannot read x")
    assert message.endswith("x; mend it.")


def test_what_cannot_be_seen_is_escaped():
    """A terminal shows nothing of a NUL, obeys an escape sequence, and refuses half a surrogate."""
    message = str(DeltaError("rows.csv has no column 'user'; it has: us\0er, \x1b[2J, \ud800, é."))
    assert message == r"rows.csv has no column 'user'; it has: us\x00er, \x1b[2J, \ud800, é."
    message.encode()
    assert len(str(DeltaError("\0" * 10**6))) < LONGEST + 10
