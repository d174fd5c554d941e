"""Filters over interactions; each keeps the order of the rows."""

from __future__ import annotations

import pandas as pd


def min_rating(interactions: pd.DataFrame, above: float) -> pd.DataFrame:
    """Rows whose rating is strictly greater than ``above``."""
    return interactions[interactions["rating"] > above]


def n_core(interactions: pd.DataFrame, n: int) -> pd.DataFrame:
    """The largest subset in which every user and every item has at least ``n`` rows."""
    while True:
        rows = len(interactions)
        for field in ("item_id", "user_id"):
            counts = interactions[field].map(interactions[field].value_counts())
            interactions = interactions[counts >= n]
        if len(interactions) == rows:
            return interactions
