"""What an error says."""

from __future__ import annotations

import numpy as np
import pytest

from dataset_prep.errors import LONGEST, DeltaError, at_least_1, whole_number


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


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_a_whole_number_is_one_whoever_counts(value):
    at_least_1("k", value)
    whole_number("k", value, 1)


@pytest.mark.parametrize("value", [np.int64(0), 3.0, np.float32(3), True, np.True_, "3"])
def test_what_is_no_whole_number_of_at_least_1(value):
    with pytest.raises(DeltaError, match="k must be"):
        at_least_1("k", value)
    with pytest.raises(DeltaError, match="k must be"):
        whole_number("k", value, 1)
