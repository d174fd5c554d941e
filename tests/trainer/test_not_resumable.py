"""RecBole's models that keep something which no checkpoint holds."""

from __future__ import annotations

import pytest

import recbole_delta
from dataset_prep.errors import DeltaError


def test_a_model_that_would_go_on_to_other_numbers_is_refused(tiny, train):
    result, _ = train(tiny, model="MultiVAE", epochs=1)
    with pytest.raises(DeltaError, match="MultiVAE counts its steps.*train it anew"):
        recbole_delta.resume(result.checkpoint, {"epochs": 2})
