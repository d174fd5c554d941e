"""What an error says."""

from __future__ import annotations

from dataset_prep.errors import LONGEST, DeltaError


def test_an_error_is_one_line_whatever_it_quotes():
    assert str(DeltaError("two\nlines\r\nand one\u2028more")) == "two lines and one more"
    message = str(DeltaError(f"Cannot read {'x' * 10**6}; mend it."))
    assert len(message) < LONGEST + 10
    assert message.startswith("Cannot read x")
    assert message.endswith("x; mend it.")
