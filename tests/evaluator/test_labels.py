"""A mode in words."""

from __future__ import annotations

import pytest

from recbole_delta.evaluator.labels import mode_note


@pytest.mark.parametrize(
    ("candidates", "history", "embeds", "note"),
    [
        ("all", "keep", True, "all items, cold history kept"),
        ("warm", "drop", True, "warm items, cold history dropped"),
        ("all", "keep", False, "warm items, cold history dropped"),
    ],
)
def test_a_mode_says_what_was_recommended_and_shown(candidates, history, embeds, note):
    record = {"candidates": candidates, "cold_history": history, "embeds_cold_items": embeds}
    assert mode_note(record) == note
