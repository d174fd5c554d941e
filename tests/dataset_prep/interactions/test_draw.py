"""The draw behind seeds: the numbers that polars gave when the paper was written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_prep.interactions.draw import draw


def test_the_numbers_are_those_of_polars_1():
    """``pl.Series(range(1000)).sample(fraction=0.9, seed=42)`` of polars 1.20."""
    assert draw(1000, 900, 42)[:10].tolist() == [159, 304, 296, 729, 541, 155, 322, 463, 22, 238]
    left = set(range(1000)) - set(draw(1000, 990, 42).tolist())
    assert left == {417, 2, 483, 58, 906, 282, 177, 210, 186, 478}


@given(st.integers(1, 400), st.data())
def test_what_is_drawn_is_different_and_below_the_population(population, data):
    n, seed = data.draw(st.integers(0, population)), data.draw(st.integers(0, 2**64 - 1))
    drawn = draw(population, n, seed)
    assert len(set(drawn.tolist())) == len(drawn) == n
    assert set(drawn.tolist()) <= set(range(population))


def test_every_number_is_drawn_equally_often():
    counts = np.bincount(np.concatenate([draw(20, 5, seed) for seed in range(4000)]))
    # Binomial(4000, 1/4): five standard deviations are 137.
    assert counts.min() == pytest.approx(1000, abs=137)
    assert counts.max() == pytest.approx(1000, abs=137)
